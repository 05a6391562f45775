"""fit → flip → rotate: where the picture lies in what comes out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyvips

    from derivproxy.domain.geometry import Place, Plan

_OPAQUE = 255


def place(pictures: list[pyvips.Image], planned: Plan, *, flip: bool, rotate: int) -> list[pyvips.Image]:
    """Cut each picture to its window or pad it to its canvas, then mirror and turn it."""
    if planned.smart or rotate:
        # What comes from a decoder can be read only once and from the top.
        pictures = [picture.copy_memory() for picture in pictures]
    window = planned.window
    if window and planned.smart:
        # The first frame decides for all: a window that follows the eye would make an animation jump.
        window = _seen(pictures[0], window)
    return [_turned(_fitted(picture, planned, window), flip=flip, rotate=rotate) for picture in pictures]


def _seen(picture: pyvips.Image, window: Place) -> Place:
    cut = picture.smartcrop(window.width, window.height, interesting="attention")
    return replace(window, left=-cut.xoffset, top=-cut.yoffset)


def _fitted(picture: pyvips.Image, planned: Plan, window: Place | None) -> pyvips.Image:
    if window:
        return picture.crop(window.left, window.top, window.width, window.height)
    if planned.canvas and planned.inset:
        # Padding is transparent; the background step makes it a colour where one is asked for or needed.
        clear = picture if picture.hasalpha() else picture.bandjoin(_OPAQUE)
        canvas = planned.canvas
        return clear.embed(planned.inset.left, planned.inset.top, canvas.width, canvas.height, extend="black")
    return picture


def _turned(picture: pyvips.Image, *, flip: bool, rotate: int) -> pyvips.Image:
    if flip:
        picture = picture.fliphor()
    return picture.rot(f"d{rotate}") if rotate else picture
