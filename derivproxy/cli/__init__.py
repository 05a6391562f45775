"""The commands. Each module of this folder is imported only when one of its commands is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from derivproxy import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["commands", "main"]

_WHERE = {
    "serve": "serving",
    "put": "remote",
    "url": "names",
    "srcset": "names",
    "explain": "names",
    "derive": "local",
    "evict": "local",
    "warm": "remote",
    "purge": "remote",
    "health": "remote",
    "config": "local",
    "version": "local",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_WHERE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        where = _WHERE.get(cmd_name)
        if where is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"derivproxy.cli.{where}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _WHERE and not args[0].startswith("-"):
            ctx.fail(f"no command {args[0]!r}; there are: {', '.join(_WHERE)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="derivproxy")
def commands() -> None:
    """Keep images under content-hash names and serve any size and format of them."""


def main(arguments: Sequence[str] | None = None) -> Any:  # noqa: ANN401  what click gives back
    """Run the command line; exits with 0, 1 (it failed) or 2 (asked wrongly)."""
    return commands(args=arguments, prog_name="derivproxy")
