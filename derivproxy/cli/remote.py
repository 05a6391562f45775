"""Commands that talk to a running server over HTTP."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click
import httpx

from derivproxy.cli.options import Failed, load_settings, local_url, settings_options
from derivproxy.cli.suffixes import SuffixCommand, suffix_of
from grammar import BadName, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_TIMEOUT = httpx.Timeout(connect=5, read=120, write=120, pool=None)
_CHUNK = 1 << 20
T = TypeVar("T")


def server_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--server``, and the settings that tell where the token is."""
    function = settings_options("config", "token", "data")(function)
    return click.option(
        "--server",
        metavar="URL",
        envvar="DERIVPROXY_SERVER",
        help="The server to talk to.  [DERIVPROXY_SERVER; default: http://HOST:PORT of the settings]",
    )(function)


@dataclass(frozen=True, slots=True)
class Server:
    """A server and the right to write there."""

    client: httpx.Client
    url: str

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        """One request; a refusal ends the command with the server's own words."""
        response = self.try_ask(method, path, **more)
        if response.is_success:
            return response
        raise Failed(f"{method} {path}: {words(response)}")

    def try_ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        """One request; only an unreachable server ends the command."""
        try:
            return self.client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Failed(
                f"{self.url} does not answer ({type(error).__name__}: {error}); is it running? see --server"
            ) from None

    def absolute(self, image: dict[str, Any]) -> dict[str, Any]:
        """The *image* with an address that works outside this server's own pages."""
        address = image["url"]
        return {**image, "url": self.url.rstrip("/") + address if address.startswith("/") else address}


def words(response: httpx.Response) -> str:
    """What a refusal says."""
    try:
        problem = response.json()
        return f"{response.status_code} {problem['code']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason_phrase}"


@contextmanager
def connected(server: str | None, flags: dict[str, object]) -> Iterator[Server]:
    """The server of the options, with the token of the settings or of DATA."""
    settings = load_settings(flags).settings
    url = server or local_url(settings)
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise click.UsageError(f"--server {url!r} is no http:// or https:// URL")
    token = settings.token
    if token is None:
        try:
            token = (settings.data / "token").read_text(encoding="ascii").strip()
        except OSError:
            token = None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # The token goes to the server that was named, never along a redirect or through a proxy's log.
    with httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT, trust_env=False) as client:
        yield Server(client, url)


@contextmanager
def counted(
    items: Iterable[T], label: str, length: int, show: Callable[[T], str] | None = None
) -> Iterator[Iterable[T]]:
    """*items*, with a progress bar over them where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield items
        return

    def shown(item: T | None) -> str | None:
        return show(item) if show is not None and item is not None else None

    with click.progressbar(items, label=label, length=length, file=sys.stderr, item_show_func=shown) as bar:
        yield bar


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE|FOLDER|URL...")
@click.option("--tag", "tags", multiple=True, help="A tag for the images; may be given several times.")
@click.option("--path", "path", default=None, help="The path the images are filed under.")
@click.option("--title", default=None, help="The title of the image.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line an image.")
@server_options
def put(
    sources: Sequence[str],
    tags: Sequence[str],
    path: str | None,
    title: str | None,
    as_json: bool,
    server: str | None,
    **flags: object,
) -> None:
    """Add images to a running server.

    They are files, folders of files, or http(s) URLs, which this command fetches. Prints the ident and the URL of
    each. Files of a folder that are no images are named and passed over.
    """
    query = {"tag": list(tags), **({"path": path} if path else {}), **({"title": title} if title else {})}
    failures = 0
    # On a terminal the bar and the lines would write over each other: there the lines come after it.
    waiting: list[str] | None = [] if sys.stdout.isatty() else None
    with connected(server, flags) as remote, tempfile.TemporaryDirectory(prefix="derivproxy-put-") as folder:
        files = list(_found(sources))
        with counted(files, "adding", len(files), lambda item: item[0]) as bar:
            for shown, file, in_folder in bar:
                try:
                    local = _fetch(shown, Path(folder)) if file is None else file
                except (OSError, httpx.HTTPError, ValueError) as error:
                    click.echo(f"derivproxy: {shown}: {error}", err=True)
                    failures += 1
                    continue
                response = _post(remote, local, query)
                if response.is_success:
                    line = _line(remote.absolute(response.json()), shown, as_json=as_json)
                    click.echo(line) if waiting is None else waiting.append(line)
                elif in_folder and response.status_code == 415:  # noqa: PLR2004
                    click.echo(f"derivproxy: {shown}: passed over: {words(response)}", err=True)
                else:
                    click.echo(f"derivproxy: {shown}: {words(response)}", err=True)
                    failures += 1
                    if response.status_code == 401:  # noqa: PLR2004
                        raise Failed("nothing more is tried; --token or --token-file names the token of the server")
    for line in waiting or ():
        click.echo(line)
    if not files:
        raise Failed(f"no file in {', '.join(sources)}")
    if failures:
        raise Failed(f"{failures} of {len(files)} were not added")


def _found(sources: Iterable[str]) -> Iterator[tuple[str, Path | None, bool]]:
    """(as shown, the file or ``None`` for a URL, whether it came out of a folder)."""
    for source in sources:
        if source.startswith(("http://", "https://")):
            yield source, None, False
            continue
        top = Path(source)
        if top.is_dir():
            for file in sorted(top.rglob("*")):
                if file.is_file() and not any(part.startswith(".") for part in file.relative_to(top).parts):
                    yield str(file), file, True
        elif top.is_file():
            yield source, top, False
        else:
            raise click.UsageError(f"{source!r} is no file, folder or http(s) URL")


def _fetch(url: str, folder: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=folder)
    with (
        os.fdopen(handle, "wb") as out,
        httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT) as response,
    ):
        if not response.is_success:
            raise ValueError(f"answered {response.status_code} {response.reason_phrase}")
        for chunk in response.iter_bytes(_CHUNK):
            out.write(chunk)
    return Path(name)


def _post(remote: Server, file: Path, query: dict[str, Any]) -> httpx.Response:
    try:
        with file.open("rb") as body:
            size = os.fstat(body.fileno()).st_size
            chunks = iter(lambda: body.read(_CHUNK), b"")
            return remote.try_ask(
                "POST", "/api/images", params=query, content=chunks, headers={"Content-Length": str(size)}
            )
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None


def _line(image: dict[str, Any], shown: str, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"file": shown, **image}, sort_keys=True)
    return f"{image['ident']}  {image['url']}  {shown}"


@click.command()
@click.argument("idents", nargs=-1, required=True, metavar="IDENT...")
@click.option("--json", "as_json", is_flag=True, help="One JSON line an image.")
@server_options
def purge(idents: Sequence[str], as_json: bool, server: str | None, **flags: object) -> None:
    """Forget every derivative of an image.

    In every tier and in the store. The image itself stays, and its derivatives are made anew when asked for.
    """
    for ident in idents:
        _check_ident(ident)
    with connected(server, flags) as remote:
        for ident in idents:
            answer = remote.ask("DELETE", f"/api/images/{ident}/derivatives").json()
            click.echo(json.dumps({"ident": ident, **answer}) if as_json else f"{ident}  {answer['deleted']} deleted")


@click.command(cls=SuffixCommand)
@click.argument("suffixes", nargs=-1, required=True, metavar="SUFFIX...")
@click.option("--ident", "idents", multiple=True, metavar="IDENT", help="Only this image; may be given several times.")
@click.option("--tag", default=None, help="Only images with this tag.")
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests under way at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line, the totals.")
@server_options
def warm(
    suffixes: Sequence[str],
    idents: Sequence[str],
    tag: str | None,
    at_once: int,
    as_json: bool,
    server: str | None,
    **flags: object,
) -> None:
    """Have derivatives made before anybody asks.

    Each SUFFIX is size, options and format, such as 320x.jpg. Without --ident or --tag: of all images.
    """
    wanted = [suffix_of(suffix) for suffix in suffixes]
    for ident in idents:
        _check_ident(ident)
    with connected(server, flags) as remote, ThreadPoolExecutor(at_once) as pool:
        chosen = list(idents) or [image["ident"] for image in _listed(remote, tag)]
        if not chosen:
            raise Failed(f"no image is tagged {tag!r}" if tag else "no image is there; put some in first")
        names = [f"{ident}-{suffix}" for ident in chosen for suffix in wanted]
        failed: list[str] = []

        def one(name: str) -> None:
            response = remote.try_ask("GET", f"/{name}")
            if not response.is_success:
                failed.append(f"{name}: {words(response)}")

        with counted(pool.map(one, names), "warming", len(names)) as bar:
            for _ in bar:
                pass
    for line in failed:
        click.echo(f"derivproxy: {line}", err=True)
    totals = {"images": len(chosen), "names": len(names), "failed": len(failed)}
    click.echo(json.dumps(totals) if as_json else f"{len(names) - len(failed)} of {len(names)} are warm")
    if failed:
        raise Failed(f"{len(failed)} could not be made")


def _listed(remote: Server, tag: str | None) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        query = {"limit": "1000", **({"tag": tag} if tag else {}), **({"after": after} if after else {})}
        page = remote.ask("GET", "/api/images", params=query).json()
        yield from page["images"]
        after = page["next"]
        if after is None:
            return


def _check_ident(ident: str) -> None:
    try:
        parse(f"{ident}-x.jpg")
    except BadName:
        raise click.UsageError(f"{ident!r} is no ident: 64 lower-case hex digits, the SHA-256 of the image") from None


@click.command()
@click.option("--ready", is_flag=True, help="Ask whether reads are right, not only whether it lives.")
@server_options
def health(ready: bool, server: str | None, **flags: object) -> None:
    """Ask a server whether it is alive.

    Exits with 0 where it is (with --ready: where its reads are right), else with 1 and the reason.
    """
    with connected(server, flags) as remote:
        response = remote.ask("GET", "/readyz" if ready else "/healthz")
        click.echo(response.text.strip())
