"""Commands that need no server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from derivproxy import __version__
from derivproxy.cli.options import Failed, load_settings, settings_options
from derivproxy.cli.suffixes import SuffixCommand, suffix_of
from derivproxy.config import settings_table
from derivproxy.derive.pool import Deriver
from derivproxy.domain.derivation import DERIVATION_VERSION
from derivproxy.domain.errors import Fault
from derivproxy.domain.geometry import permit, plan
from derivproxy.domain.limits import Limits
from derivproxy.stores import BadStore, Evicting, open_store

if TYPE_CHECKING:
    from grammar import Suffix

_LIMITS = (
    "max_file_bytes", "max_pixels", "max_frames", "max_side", "max_bands", "max_scans", "max_scan_pixels",
    "max_text_bytes", "max_profile_bytes", "max_output_pixels", "max_seconds", "max_memory_bytes",
)  # fmt: skip


@click.command(cls=SuffixCommand)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("suffix")
@click.option(
    "-o", "--output", "out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where to write."
)
@settings_options("config", *_LIMITS)
def derive(file: Path, suffix: str, out: Path, **flags: object) -> None:
    """Make one derivative of a file, without a server.

    SUFFIX is size, options and format, such as 300x.jpg.
    """
    wish = suffix_of(suffix)
    limits = load_settings(flags).settings.limits
    try:
        body = asyncio.run(_derived(file, wish, limits))
    except Fault as fault:
        raise Failed(f"{file}: {fault.code}: {fault.detail}") from None
    half = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        half.write_bytes(body)
        half.replace(out)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise Failed(f"{out}: {error.strerror}") from None


async def _derived(file: Path, suffix: Suffix, limits: Limits) -> bytes:
    md5 = await asyncio.to_thread(_md5, file)
    with tempfile.TemporaryDirectory(prefix="derivproxy-") as spool:
        async with Deriver(processes=1, limits=limits, spool=Path(spool)) as deriver:
            facts = await deriver.examine(file, md5=md5)
            permit(plan(suffix, facts), limits)
            made = await deriver.derive(file, facts, suffix)
            return made.body if isinstance(made.body, bytes) else made.body.read_bytes()


def _md5(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@click.command()
@click.option("--budget", required=True, help="Bytes of derivatives to keep, such as 10GiB; 0 forgets them all.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line.")
@settings_options("config", "store", "data")
def evict(budget: str, as_json: bool, **flags: object) -> None:
    """Evict derivatives from the store.

    The least recently used go first, until the rest fits the budget. Never a base.
    """
    settings = load_settings(flags).settings
    parse = next(row.parse for row in settings_table() if row.name == "store_budget_bytes")
    try:
        wanted = parse(budget)
    except ValueError as error:
        raise click.UsageError(f"--budget: {budget!r} {error}") from None
    home = urlsplit(settings.store)
    if home.scheme == "file" and not Path(unquote(home.path)).is_dir():
        raise Failed(f"{settings.store}: there is no store; --store or --data names it")

    async def run() -> dict[str, int]:
        store = open_store(settings.store, "images")
        try:
            if not isinstance(store, Evicting):
                raise Failed(
                    f"{settings.store}: this store expires derivatives itself (DERIVPROXY_DERIVATIVE_EXPIRY_SECONDS)"
                )
            done = await store.evict(wanted)
            return {"evicted": done.objects, "freed_bytes": done.bytes, "kept_bytes": done.left_bytes}
        finally:
            await store.close()

    try:
        done = asyncio.run(run())
    except Fault as fault:
        raise Failed(f"{fault.code}: {fault.detail}") from None
    except BadStore as error:
        raise Failed(str(error)) from None
    click.echo(
        json.dumps(done)
        if as_json
        else f"{done['evicted']} evicted, {done['freed_bytes']} bytes freed, {done['kept_bytes']} kept"
    )


@click.group()
def config() -> None:
    """The settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@settings_options()
def show(as_json: bool, **flags: object) -> None:
    """Print every setting and where it came from.

    Secrets are masked.
    """
    rows = load_settings(flags).shown
    if as_json:
        click.echo(json.dumps({row.setting.name: {"value": row.value, "source": row.source} for row in rows}, indent=2))
        return
    name_width = max(len(row.setting.name) for row in rows)
    value_width = min(max(len(row.value) for row in rows), 60)
    for row in rows:
        click.echo(f"{row.setting.name:{name_width}}  {row.value:{value_width}}  {row.source}")


@click.command()
def version() -> None:
    """Print versions and formats.

    They decide what pixels come out: this program, its derivation version, libvips, and what that reads and writes.
    """
    about = asyncio.run(_about())
    click.echo(f"derivproxy {__version__}")
    click.echo(f"derivation version {DERIVATION_VERSION}")
    click.echo(f"libvips {'.'.join(str(part) for part in about['libvips'])}")
    click.echo(f"reads {' '.join(about['reads'])}")
    click.echo(f"writes {' '.join(about['writes'])}")


async def _about() -> dict[str, Any]:
    """What a deriving process says of the libvips it really loaded."""
    with tempfile.TemporaryDirectory(prefix="derivproxy-") as spool:
        try:
            async with Deriver(processes=1, limits=Limits(), spool=Path(spool)) as deriver:
                return deriver.about
        except RuntimeError as error:
            raise Failed(str(error)) from None
