"""Settings as options of a command, and the errors of the house as endings of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

from derivproxy.config import Loaded, Settings, SettingsError, load_with_sources, settings_table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

F = TypeVar("F", bound="Callable[..., Any]")

# Known to the clients and to the test kit; a server has no use for them and does not mind them.
OTHER_VARIABLES = frozenset({"DERIVPROXY_SERVER"})


def settings_options(*only: str) -> Callable[[F], F]:
    """Give a command one option a setting (those named in *only*, else all): ``None`` where it is not typed."""

    def decorate(function: F) -> F:
        for row in reversed(settings_table()):
            if only and row.name not in only:
                continue
            note = f"{row.help}  [{row.variable}; default: {row.default}]"
            function = click.option(row.flag, row.name, metavar=row.metavar, default=None, help=note)(function)
            if row.secret:
                function = click.option(
                    f"{row.flag}-file",
                    f"{row.name}_file",
                    metavar="FILE",
                    default=None,
                    help=f"A file holding {row.flag}.",
                )(function)
        return function

    return decorate


def load_settings(flags: Mapping[str, object]) -> Loaded:
    """The settings of this process. Ends the command, saying all that is wrong, where they cannot be worked with."""
    given = {name: value for name, value in flags.items() if name in _names()}
    try:
        return load_with_sources(given, os.environ, others=OTHER_VARIABLES)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def local_url(settings: Settings) -> str:
    """Where the server of these settings is reached from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  read, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _names() -> Collection[str]:
    rows = settings_table()
    return {row.name for row in rows} | {f"{row.name}_file" for row in rows if row.secret}


class Failed(click.ClickException):
    """The command did not do what it was asked; the text says why and what to do. Exit code 1."""

    def show(self, file: Any = None) -> None:  # noqa: ANN401  click's own signature
        """Print the reason alone: what was typed is not what was wrong."""
        click.echo(f"derivproxy: {self.format_message()}", file=file, err=True)
