"""Suffixes as people type them: forgiven like at the door, and with or without their leading dash."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from grammar import BadName, Derivative, canonical, parse

if TYPE_CHECKING:
    from grammar import Suffix

# What no option looks like: a dash, a size, and what can follow one.
_DASHED = re.compile(r"-([0-9]*[xX][0-9]*[-.@].*)", re.ASCII)
_BEFORE = "0" * 64 + "-"


class SuffixCommand(click.Command):
    """A command that takes ``-300x.jpg`` for the suffix it is, not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is left over, as click has it."""
        return super().parse_args(ctx, [_DASHED.sub(r"\1", argument) for argument in args])


def suffix_of(text: str) -> Suffix:
    """The suffix that *text* means. Ends the command, showing the place, where it means none."""
    try:
        name = parse(canonical(_BEFORE + text))
    except BadName as error:
        raise wrong_suffix(text, error, len(_BEFORE)) from None
    assert isinstance(name, Derivative)  # noqa: S101  a base has no dash
    return name.suffix


def wrong_suffix(text: str, error: BadName, before: int) -> click.UsageError:
    """The *error* of a name whose suffix *text* began after *before* characters, told of the suffix alone."""
    position = max(0, error.position - before)
    why = BadName(text, position, error.expected, why=error.why)
    reason = str(why).removeprefix("not a name: ")
    shown = f"  {text}\n  {' ' * position}^\n" if text.isprintable() else ""
    return click.UsageError(f"{text[:100]!r} is no suffix\n{shown}{reason}")
