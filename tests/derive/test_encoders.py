"""The table of encoders: complete, in step with the grammar, and honest about what this libvips lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import pyvips
from PIL import Image

from derivproxy.derive.encoders import ENCODERS, encode, encoder_of, writable_formats
from derivproxy.domain.errors import CannotEncode
from derivproxy.domain.geometry import LONGEST_SIDE
from grammar.conditions import DEFAULT_QUALITY, LOSSLESS, OPAQUE
from grammar.names import Fit, Format, Suffix, Tone
from tests.derive.drawing import WRITABLE, opened, put, saved, scene

if TYPE_CHECKING:
    from pathlib import Path


def vips(width: int, height: int) -> pyvips.Image:
    return pyvips.Image.new_from_array(np.asarray(scene(width, height)))


def test_every_format_of_the_grammar_has_an_encoder_and_a_longest_side() -> None:
    assert set(ENCODERS) == set(LONGEST_SIDE) == set(Format)


def test_defaults_are_those_frozen_with_the_grammar() -> None:
    assert {f: e.quality for f, e in ENCODERS.items() if e.quality} == dict(DEFAULT_QUALITY)
    assert {f for f, e in ENCODERS.items() if e.lossless} == set(LOSSLESS)
    assert {f for f, e in ENCODERS.items() if not e.alpha} == set(OPAQUE)


def test_what_the_loaded_libvips_writes_is_found_by_trying() -> None:
    assert writable_formats() >= set(WRITABLE)
    lacking = set(Format) - writable_formats()
    for format_ in lacking:
        with pytest.raises(CannotEncode, match=f"cannot write {format_}"):
            encoder_of(format_)


@pytest.mark.parametrize("format_", WRITABLE)
def test_the_media_type_is_that_of_the_bytes(format_: Format) -> None:
    image = opened(encode(vips(20, 10), Suffix(format=format_), 0))
    assert Image.MIME[image.format or ""] == ENCODERS[format_].media_type


@pytest.mark.parametrize(("format_", "quality"), [(Format.JPG, 80), (Format.WEBP, 80), (Format.AVIF, 60)])
def test_the_unspelled_quality_is_the_default(format_: Format, quality: int) -> None:
    picture = vips(60, 40)
    encoder = ENCODERS[format_]
    wanted = getattr(picture, encoder.operation)(**encoder.options, Q=quality, keep=0)
    assert encode(picture, Suffix(format=format_), 0) == wanted
    assert encode(picture, Suffix(format=format_, quality=quality + 5), 0) != wanted


def test_large_results_are_made_with_less_effort() -> None:
    small, large = vips(60, 40), vips(500, 1002)
    assert encode(small, Suffix(format=Format.GIF), 0) == small.gifsave_buffer(effort=7, keep=0)
    assert encode(small, Suffix(format=Format.GIF), 0) != small.gifsave_buffer(effort=4, keep=0)
    assert encode(large, Suffix(format=Format.GIF), 0) == large.gifsave_buffer(effort=4, keep=0)


def test_bitonal_takes_one_bit_a_sample(tmp_path: Path) -> None:
    base = put(tmp_path, saved(scene(400, 300), "PNG"))
    for format_ in (Format.PNG, Format.TIF):
        bits, grey = (base.derive(format_, tone=tone) for tone in (Tone.BITONAL, Tone.GRAY))
        assert opened(bits.body).mode == "1"
        assert len(bits.body) * 6 < len(grey.body)
    padded = base.drawn(Format.PNG, tone=Tone.BITONAL, width=100, height=100, fit=Fit.PAD, background="000000")
    assert padded.mode == "1"


def test_transparency_that_no_frame_shows_is_still_said_in_a_webp() -> None:
    clear = vips(20, 10).bandjoin(255).embed(0, 5, 20, 20, extend="black")
    strip = pyvips.Image.arrayjoin([clear, clear.fliphor()], across=1).copy()
    strip.set_type(pyvips.GValue.gint_type, "page-height", 20)
    image = opened(encode(strip, Suffix(format=Format.WEBP), 0))
    assert image.mode == "RGBA"
    assert image.getpixel((3, 1))[3] == 0  # type: ignore[index]
