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
    listed = [output for output in PREFERENCE if output in formats and taken.listed(output.media_type)]
    names = {output: name for output in listed if (name := auto.derivative(output)) is not None}
    if animated and auto.suffix.page is None:
        moving = {output: name for output, name in names.items() if output in ANIMATED}
        gif = auto.derivative(Format.GIF) if Format.GIF in formats and taken.weight(Format.GIF.media_type) else None
        if moving or gif is not None:
            return _best(moving, gif, taken)
    return _best(names, _still(auto, alpha=alpha), taken)


def _still(auto: Auto, *, alpha: bool) -> Derivative:
    # A png is lossless and cannot say so: the wish is kept although its word vanishes.
    name = auto.derivative(Format.PNG if alpha or auto.suffix.lossless else Format.JPG)
    assert name is not None  # noqa: S101 -- these two can say all else
    return name


def _best(names: Mapping[Format, Derivative], fallback: Derivative | None, taken: Accept) -> Derivative:
    """The one of *names*, which are listed and in our order, or *fallback*, that the asker weighs highest."""
    best, weight = fallback, taken.weight(fallback.suffix.format.media_type) if fallback else 0
    for output, name in names.items():
        listed = taken.listed(output.media_type)
        # Level with the fallback is enough: who lists a newer format gets it.
        if listed > weight or (listed == weight and best is fallback):
            best, weight = name, listed
    assert best is not None  # noqa: S101 -- without a fallback there are names, and each is listed
    return best
