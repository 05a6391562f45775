"""Values to text: each parameter of a suffix beside its spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grammar.choices import Compass, Fit, Focus, Smart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grammar.choices import Anchor
    from grammar.names import Suffix


def spelled(suffix: Suffix) -> Iterator[tuple[str, str]]:
    """The parameters of *suffix* and their texts in the order of the name; joined they are the suffix.

    Both sides are always among them, empty where they are open: that is the place where one could stand.
    """
    yield "width", "" if suffix.width is None else str(suffix.width)
    yield "size", "x"
    yield "height", "" if suffix.height is None else str(suffix.height)
    yield from _picture(suffix)
    yield from _output(suffix)
    yield "format", f".{suffix.format}"


def _picture(suffix: Suffix) -> Iterator[tuple[str, str]]:
    if suffix.page is not None:
        yield "page", f"-page{suffix.page}"
    if suffix.crop is not None:
        crop = suffix.crop
        yield "crop", f"-crop{crop.x}_{crop.y}_{crop.width}_{crop.height}"
    if suffix.fit is not Fit.INSIDE:
        yield "fit", f"-{suffix.fit}"
    if suffix.anchor is not None:
        yield "anchor", f"-{_anchor(suffix.anchor)}"
    if suffix.enlarge:
        yield "enlarge", "-enlarge"
    if suffix.flip:
        yield "flip", "-flip"
    if suffix.rotate:
        yield "rotate", f"-rot{suffix.rotate}"


def _anchor(anchor: Anchor) -> str:
    match anchor:
        case Compass():
            return anchor.value
        case Smart():
            return "smart"
        case Focus(x, y):
            return f"focus{x}_{y}"


def _output(suffix: Suffix) -> Iterator[tuple[str, str]]:
    if suffix.tone is not None:
        yield "tone", f"-{suffix.tone}"
    if suffix.blur is not None:
        yield "blur", f"-blur{suffix.blur}"
    if suffix.sharpen is not None:
        yield "sharpen", f"-sharpen{suffix.sharpen}"
    if suffix.background is not None:
        yield "background", f"-bg{suffix.background}"
    if suffix.profile is not None:
        yield "profile", f"-{suffix.profile}"
    if suffix.keep is not None:
        yield "keep", f"-{suffix.keep}"
    if suffix.quality is not None:
        yield "quality", f"-q{suffix.quality}"
    if suffix.lossless:
        yield "lossless", "-lossless"
