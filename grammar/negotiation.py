"""Which format a request of any format gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grammar.accept import Accept, read_accept
from grammar.auto import Auto, parse_auto
from grammar.choices import Format
from grammar.conditions import ANIMATED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from grammar.names import Derivative

PREFERENCE = (Format.AVIF, Format.JXL, Format.WEBP)
"""The formats picked only for an asker who lists them, the best first."""


def negotiate(
    request: str | Auto,
    accept: str | None,
    *,
    alpha: bool = False,
    animated: bool = False,
    formats: Collection[Format] = tuple(Format),
) -> Derivative:
    """The derivative that answers *request*, an ``.auto`` text or what :func:`parse_auto` made of one.

    *accept* is the asker's ``Accept`` field, *alpha* and *animated* are facts of the base, *formats* are those the
    server writes. Never fails on *accept*: where nothing fits there is a fallback. Raises :class:`BadName` for a text
    that is not the canonical spelling of a request.

    avif, jxl and webp are picked only where they are listed by name; ``image/*`` and ``*/*`` are sent by programs that
    know none of them. Of those the highest weight wins, then the order of :data:`PREFERENCE`. The fallback wins where
    the asker weighs it higher. It is png where the base has alpha or the picture is to be lossless (a png is, without
    being told), else jpg; for a picture that moves it is gif, where gif can say the rest of the request. A picture that
    moves gets no format that would stop it while one that moves is taken.
    """
    auto = parse_auto(request) if isinstance(request, str) else request
    taken = read_accept(accept)
    sayable = {output: name for output in formats if (name := auto.derivative(output)) is not None}
    if animated and auto.suffix.page is None:
        moving = {output: name for output, name in sayable.items() if _moves(output, taken)}
        if moving:
            return _best(moving, moving.get(Format.GIF), taken)
    return _best(sayable, _still(auto, alpha=alpha), taken)


def _moves(output: Format, taken: Accept) -> bool:
    return output in ANIMATED and (taken.listed if output in PREFERENCE else taken.weight)(output.media_type) > 0


def _still(auto: Auto, *, alpha: bool) -> Derivative:
    # A png is lossless and cannot say so: the wish is kept although its word vanishes.
    name = auto.derivative(Format.PNG if alpha or auto.suffix.lossless else Format.JPG)
    assert name is not None  # noqa: S101 -- these two can say all else
    return name


def _best(names: Mapping[Format, Derivative], fallback: Derivative | None, taken: Accept) -> Derivative:
    best, weight = fallback, taken.weight(fallback.suffix.format.media_type) if fallback else 0
    for output in PREFERENCE:
        listed = taken.listed(output.media_type) if output in names else 0
        # Level with the fallback is enough: who lists a newer format gets it.
        if listed and (listed > weight or (listed == weight and best is fallback)):
            best, weight = names[output], listed
    assert best is not None  # noqa: S101 -- without a fallback there is one that is listed
    return best
