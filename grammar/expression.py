"""Regular expressions as values, so that one description serves three readers.

:func:`pattern` makes the compiled expression that accepts, :func:`furthest` finds where and why a text is not
accepted, and the proof of unambiguity walks the very same nodes. Nothing here knows what a name is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence as Places


@dataclass(frozen=True, slots=True)
class Word:
    """Exactly *text*."""

    text: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """One character of *characters*; *what* is how an error calls it."""

    characters: str
    what: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """All *parts*, one after the other."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of *parts*."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """*part*, *least* to *most* times; ``most=None`` is any number of times."""

    part: Expression
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Captured:
    """What *part* matches is the group *name*."""

    name: str
    part: Expression


Expression = Word | OneOf | Sequence | Choice | Times | Captured


def sequence(*parts: Expression | str) -> Sequence:
    """*parts* one after the other; a string is a word."""
    return Sequence(tuple(map(_expression, parts)))


def choice(*parts: Expression | str) -> Choice:
    """One of *parts*; a string is a word."""
    return Choice(tuple(map(_expression, parts)))


def maybe(part: Expression | str) -> Times:
    """*part* or nothing."""
    return Times(_expression(part), 0, 1)


def _expression(part: Expression | str) -> Expression:
    return Word(part) if isinstance(part, str) else part


def pattern(expression: Expression) -> str:
    """The same in the syntax of :mod:`re`, for ``fullmatch``. Classes are spelled out, so no flag can widen them."""
    match expression:
        case Word(text):
            return re.escape(text)
        case OneOf(characters):
            return f"[{re.escape(characters)}]"
        case Sequence(parts):
            return "".join(map(pattern, parts))
        case Choice(parts):
            return f"(?:{'|'.join(map(pattern, parts))})"
        case Times(part, least, most):
            inner = pattern(part) if isinstance(part, OneOf | Choice) else f"(?:{pattern(part)})"
            return f"{inner}{{{least},{'' if most is None else most}}}"
        case Captured(name, part):
            return f"(?P<{name}>{pattern(part)})"


def furthest(expression: Expression, text: str) -> tuple[int, tuple[str, ...]] | None:
    """Where no reading of *text* gets further, and all that could stand there; ``None`` for a text that is accepted.

    A word is one step: a text that leaves it half way is refused where the word begins, because there stands the
    choice that was made. Costs time in the length of *text* times the number of words.
    """
    missed: dict[int, dict[str, None]] = {}
    for end in _ends(expression, text, 0, missed):
        if end == len(text):
            return None
        missed.setdefault(end, {})["the end"] = None
    position = max(missed)
    return position, tuple(missed[position])


def _ends(  # noqa: PLR0911 -- one a case
    expression: Expression, text: str, start: int, missed: dict[int, dict[str, None]]
) -> Places[int]:
    match expression:
        case Word(word):
            if text.startswith(word, start):
                return (start + len(word),)
            missed.setdefault(start, {})[word] = None
            return ()
        case OneOf(characters, what):
            if start < len(text) and text[start] in characters:
                return (start + 1,)
            missed.setdefault(start, {})[what] = None
            return ()
        case Sequence(parts):
            places: Places[int] = (start,)
            for part in parts:
                places = _all_ends(part, text, places, missed)
            return places
        case Choice(parts):
            return [end for part in parts for end in _ends(part, text, start, missed)]
        case Times(part, least, most):
            return _repeated(part, (least, most), text, start, missed)
        case Captured(_, part):
            return _ends(part, text, start, missed)


def _all_ends(part: Expression, text: str, places: Places[int], missed: dict[int, dict[str, None]]) -> Places[int]:
    if len(places) == 1:
        return _ends(part, text, places[0], missed)
    # Each place once, however many ways lead there: so no text makes the walk explode.
    return list(dict.fromkeys(end for place in places for end in _ends(part, text, place, missed)))


def _repeated(
    part: Expression, times: tuple[int, int | None], text: str, start: int, missed: dict[int, dict[str, None]]
) -> Places[int]:
    least, most = times
    if isinstance(part, OneOf):
        return _run(part, times, text, start, missed)
    places: Places[int] = (start,)
    reached = [start] if least == 0 else []
    count = 0
    # Ends although most may be None: a part that takes no character is never repeated (the proof looks for it).
    while places and (most is None or count < most):
        count += 1
        places = _all_ends(part, text, places, missed)
        if count >= least:
            reached.extend(places)
    return reached


def _run(
    part: OneOf, times: tuple[int, int | None], text: str, start: int, missed: dict[int, dict[str, None]]
) -> Places[int]:
    # What _repeated does, at the price of a loop: an ident alone is 64 characters. A run without an end is taken whole:
    # in no expression here can what follows it begin with one of its own characters.
    least, most = times
    stop = len(text) if most is None else min(len(text), start + most)
    end = start
    while end < stop and text[end] in part.characters:
        end += 1
    if most is None or end < start + most:
        missed.setdefault(end, {})[part.what] = None
    return range(end if most is None else start + least, end + 1) if end >= start + least else ()
