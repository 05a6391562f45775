"""Reading as a value: what a reader says of a text, be it a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from grammar import BadName

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def attempt(read: Callable[[str], T], text: str) -> T | BadName:
    """What *read* makes of *text*, or its refusal."""
    try:
        return read(text)
    except BadName as error:
        return error
