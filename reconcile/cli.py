"""The command ``reconcile``: exits 0 in step, 2 with drift, 1 on failure."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import anyio
import click

from derivproxy.config import SettingsError, load, settings_table
from derivproxy.domain.errors import Fault
from derivproxy.metadata import DatabaseUnusable
from derivproxy.stores import StoreError
from reconcile.compare import UnorderedListing, compare
from reconcile.confirm import confirm
from reconcile.drift import Kind, Seen
from reconcile.opening import both, live_idents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from derivproxy.config import Settings
    from reconcile.drift import Drift

IN_STEP, FAILED, DRIFT = 0, 1, 2
_SETTINGS = ("config", "data", "store", "grace_seconds")
_OF_OTHER_COMMANDS = ("DERIVPROXY_SERVER",)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def reconcile() -> None:
    """Compare what the store holds with what the database knows.

    Settings are those of derivproxy: the flags below, DERIVPROXY_ variables, the configuration file.
    """


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    for setting in reversed(settings_table()):
        if setting.name in _SETTINGS:
            option = click.option(setting.flag, setting.name, metavar=setting.metavar, help=setting.help)
            command = option(command)
    return command


@reconcile.command()
@_settings_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, the summary last.")
@click.pass_context
def plan(context: click.Context, /, *, as_json: bool, **flags: object) -> None:
    """Say what is out of step. Changes nothing.

    \b
    orphan             a base in the store without a row
    missing            a row without its base
    stray-derivative   a derivative whose base is gone

    Names that are not ours and objects younger than the grace age are left alone.
    """  # noqa: D301 - click's mark for lines that stay as they are
    settings = load(flags, os.environ, others=_OF_OTHER_COMMANDS)
    found, seen = anyio.run(_plan, settings, as_json)
    click.echo(_summary_json(found, seen) if as_json else _summary(found, seen, settings))
    context.exit(DRIFT if found.total() else IN_STEP)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit; what cannot be done is said on one line of stderr."""
    try:
        code = reconcile.main(args=arguments, prog_name="reconcile", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = FAILED
    except click.Abort:
        code = FAILED
    except (SettingsError, DatabaseUnusable, StoreError, Fault, UnorderedListing) as error:
        click.echo(f"reconcile: {error}", err=True)
        code = FAILED
    sys.exit(code)


async def _plan(settings: Settings, as_json: bool) -> tuple[Counter[Kind], Seen]:  # noqa: FBT001 - anyio.run has no keywords
    found: Counter[Kind] = Counter()
    seen = Seen()
    async with both(settings) as (store, metadata):
        candidates = compare(
            store.list(), live_idents(metadata), seen, now=time.time(), grace_seconds=settings.grace_seconds
        )
        async for drift in confirm(candidates, store=store, status=metadata.status):
            found[drift.kind] += 1
            click.echo(_line_json(drift) if as_json else _line(drift))
    return found, seen


def _line(drift: Drift) -> str:
    size = "" if drift.kind is Kind.MISSING else f"  {drift.bytes:,} bytes"
    return f"{drift.kind:<17} {drift.key}{size}"


def _line_json(drift: Drift) -> str:
    return json.dumps({"drift": drift.kind, "key": drift.key, "ident": drift.ident, "bytes": drift.bytes})


def _summary(found: Counter[Kind], seen: Seen, settings: Settings) -> str:
    counts = ", ".join(f"{found[kind]:,} {kind}" for kind in Kind)
    return (
        f"{counts if found.total() else 'In step'}: {seen.rows:,} rows, {seen.bases:,} bases, "
        f"{seen.derivatives:,} derivatives; left alone: {seen.foreign:,} names that are not ours, "
        f"{seen.young:,} objects younger than {settings.grace_seconds:g} s. Nothing was changed."
    )


def _summary_json(found: Counter[Kind], seen: Seen) -> str:
    return json.dumps({"summary": {kind: found[kind] for kind in Kind} | asdict(seen)})
