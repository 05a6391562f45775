"""``serve``: the service in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog

from derivproxy.cli.options import Failed, load_settings, settings_options
from derivproxy.domain.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

    from derivproxy.app.adding import Outcome
    from derivproxy.config import Loaded, Settings


@click.command()
@click.argument(
    "folders", nargs=-1, metavar="[FOLDER...]", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@settings_options()
def serve(folders: Sequence[Path], **flags: object) -> None:
    """Serve images.

    Those found in each FOLDER are added while it serves. ^C or SIGTERM stops it gracefully.
    """
    loaded = load_settings(flags)
    settings = loaded.settings
    if settings.workers > 1:
        # prometheus_client decides on import whether it counts alone.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str((settings.data / "local" / "metrics").absolute())
    _serve(loaded, folders)


def _serve(loaded: Loaded, folders: Sequence[Path]) -> None:
    from derivproxy.app.adding import files_in  # noqa: PLC0415  after PROMETHEUS_MULTIPROC_DIR is set
    from derivproxy.app.data import DataFolder, DataInUse, DataUnusable  # noqa: PLC0415
    from derivproxy.app.logs import set_up_logs  # noqa: PLC0415
    from derivproxy.app.service import Node, run_loop, serve_node  # noqa: PLC0415
    from derivproxy.app.serving import CannotListen, listen  # noqa: PLC0415
    from derivproxy.metadata import DatabaseUnusable  # noqa: PLC0415
    from derivproxy.stores import BadStore  # noqa: PLC0415

    settings = loaded.settings
    set_up_logs(settings.log_format, settings.log_level)
    data = DataFolder(settings.data)
    try:
        files = files_in(folders)
        with data.locked():
            data.prepare()
            token = settings.token or (data.made_token() if settings.on_loopback else None)
            sources = {row.setting.name: row.source for row in loaded.shown}
            sock = listen(settings.host, settings.port, next_free=sources["port"] == "default")
            greeting = _Greeting(settings, sock, data.token_file, sources["token"], len(files))
            run_loop(
                serve_node(
                    Node(settings=settings, token=token), sock, files=files, added=greeting.added, ready=greeting.ready
                )
            )
    except (DataInUse, DataUnusable, CannotListen, BadStore, DatabaseUnusable, RuntimeError) as error:
        raise Failed(str(error)) from None
    except Fault as fault:
        raise Failed(f"{fault.code}: {fault.detail}") from None
    except OSError as error:
        raise Failed(f"{error.filename or ''}: {error.strerror or error}") from None


class _Greeting:
    """What ``serve`` says to the person who started it, on standard output."""

    def __init__(self, settings: Settings, sock: socket, token_file: Path, token_from: str, files: int) -> None:
        host, port = sock.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  shown, not bound
        self._url = settings.public_url or (f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}")
        self._port = port
        self._settings = settings
        self._token_file = token_file
        self._token_from = token_from
        self._files = files
        self._seen = 0
        self._added = 0
        self._pasted = False
        self._log = structlog.get_logger().bind(part="adding")

    def ready(self) -> None:
        settings = self._settings
        if settings.port not in (0, self._port):
            click.echo(f"port {settings.port} is taken; using {self._port}")
        click.echo(f"derivproxy serves {self._url}/  (^C stops it)")
        click.echo(
            f"store {settings.store}"
            + ("  — the only copy of the images: back it up" if self._store_is_default else "")
        )
        if settings.token is None and settings.on_loopback:
            click.echo(f"the write token is in {self._token_file}")
        elif settings.token is None:
            click.echo("no token is set, so writes answer 401: set DERIVPROXY_TOKEN or DERIVPROXY_TOKEN_FILE")
        if settings.sizes.everything and not settings.on_loopback:
            click.echo("any size may be asked for by anybody: DERIVPROXY_SIZES or DERIVPROXY_SIGNING_KEYS narrows that")
        if not self._files:
            self._curl()

    @property
    def _store_is_default(self) -> bool:
        return self._settings.store == (self._settings.data.absolute() / "store").as_uri()

    def added(self, outcome: Outcome) -> None:
        self._seen += 1
        if outcome.image is not None:
            self._added += 1
        elif outcome.skipped:
            self._log.info("passed over: no image", file=str(outcome.file), why=outcome.why)
        else:
            self._log.warning("not added", file=str(outcome.file), why=outcome.why)
        self._progress()
        if outcome.image is not None and not self._pasted:
            self._pasted = True
            self._clear()
            click.echo(f'paste:  <img src="{self._url}/{outcome.image.ident}-400x.webp" alt="">')
        if self._seen == self._files:
            self._clear()
            click.echo(f"{self._added} of {self._files} files of the folders are in")
            self._curl()

    def _curl(self) -> None:
        if self._settings.token is not None:
            known = {
                "DERIVPROXY_TOKEN": "$DERIVPROXY_TOKEN",
                "DERIVPROXY_TOKEN_FILE": '$(cat "$DERIVPROXY_TOKEN_FILE")',
            }
            bearer = known.get(self._token_from, "TOKEN")
        elif self._settings.on_loopback:
            bearer = f"$(cat {self._token_file})"
        else:
            return
        header = f'-H "Authorization: Bearer {bearer}"'
        click.echo(f"put in your own:  curl --data-binary @photo.jpg {header} {self._url}/api/images")

    def _progress(self) -> None:
        stream = sys.stderr
        if stream.isatty():
            done = 30 * self._seen // max(self._files, 1)
            stream.write(f"\radding [{'#' * done}{'-' * (30 - done)}] {self._seen}/{self._files}")
            stream.flush()

    def _clear(self) -> None:
        stream = sys.stderr
        if stream.isatty():
            stream.write("\r\033[K")
            stream.flush()
