"""Which format an `.auto` request gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar import Auto, BadName, Format, Suffix, adapt, negotiate, parse, parse_auto
from grammar.accept import read_accept
from tests.grammar.attempts import attempt
from tests.grammar.cases import CHROME, OLD_SAFARI, SAFARI
from tests.grammar.reference import IDENT
from tests.grammar.strategies import spellings, suffixes

FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
BUNDLED = tuple(format_ for format_ in Format if format_ is not Format.JXL)


def picked(accept: str | None, suffix: str = "300x.auto", **facts: Any) -> str:  # noqa: ANN401
    name = str(negotiate(f"{IDENT}-{suffix}", accept, **facts))
    assert str(parse(name)) == name
    return name.removeprefix(f"{IDENT}-")


@pytest.mark.parametrize("browser", [CHROME, FIREFOX, SAFARI])
def test_a_browser_that_lists_avif_gets_it(browser: str) -> None:
    assert picked(browser) == "300x.avif"


def test_a_browser_that_lists_webp_gets_it() -> None:
    assert picked(OLD_SAFARI) == "300x.webp"


@pytest.mark.parametrize(
    "plain", [None, "", "*/*", "image/*", "image/*,*/*;q=0.8", "text/html", "image/jpeg", "image/apng"]
)
def test_a_wildcard_proves_nothing(plain: str | None) -> None:
    assert picked(plain) == "300x.jpg"
    assert picked(plain, alpha=True) == "300x.png"


def test_only_what_the_server_writes_is_picked() -> None:
    assert picked(CHROME, formats={Format.JPG, Format.PNG, Format.WEBP}) == "300x.webp"
    assert picked(CHROME, formats={Format.JPG, Format.PNG}) == "300x.jpg"
    assert picked("image/jxl,*/*", formats=BUNDLED) == "300x.jpg"
    assert picked("image/jxl,*/*") == "300x.jxl"


def test_weights_decide_before_our_own_preference() -> None:
    assert picked("image/avif;q=0.5,image/webp") == "300x.webp"
    assert picked("image/avif;q=0.5,image/webp;q=0.5") == "300x.avif"
    assert picked("image/avif;q=0.499,image/webp;q=0.5") == "300x.webp"
    assert picked("image/webp;q=0.1,image/jpeg") == "300x.jpg"
    assert picked("image/webp;q=0.1,*/*") == "300x.jpg"
    assert picked("image/webp;q=0.1") == "300x.webp"
    assert picked("image/webp;q=0.8,*/*;q=0.8") == "300x.webp"
    assert picked("image/jpeg;q=0,image/*,image/webp;q=0.1") == "300x.webp"


def test_weight_0_is_never() -> None:
    assert picked("image/avif;q=0,image/webp;q=0.000,image/*") == "300x.jpg"
    assert picked("image/avif;q=0.0,image/webp") == "300x.webp"


def test_what_moves_gets_a_format_that_moves() -> None:
    assert picked(CHROME, animated=True) == "300x.webp"
    assert picked("image/avif,*/*", animated=True) == "300x.gif"
    assert picked("image/avif", animated=True) == "300x.avif"  # better still than refused
    assert picked("image/avif,*/*", "300x-meta.auto", animated=True) == "300x-meta.avif"
    assert picked("image/webp;q=0.5,image/gif", animated=True) == "300x.gif"
    assert picked("image/webp;q=0.5,image/avif", animated=True) == "300x.webp"
    assert picked(None, animated=True, alpha=True) == "300x.gif"
    assert picked("image/gif;q=0,*/*", animated=True) == "300x.jpg"
    assert picked(None, animated=True, formats={Format.JPG, Format.PNG}) == "300x.jpg"


def test_a_page_of_what_moves_is_a_still() -> None:
    assert picked(CHROME, "300x-page1.auto", animated=True) == "300x.avif"
    assert picked(OLD_SAFARI, "300x-page1.auto", animated=True) == "300x-page1.webp"
    assert picked(None, "300x-page2.auto", animated=True) == "300x-page2.jpg"


def test_a_quality_that_says_nothing_in_the_picked_format_vanishes() -> None:
    assert picked("image/avif", "x-q60.auto") == "x.avif"
    assert picked("image/webp", "x-q60.auto") == "x-q60.webp"
    assert picked("image/avif", "x-q80.auto") == "x-q80.avif"
    assert picked("image/webp", "x-q80.auto") == "x.webp"
    assert picked(None, "x-q80.auto") == "x.jpg"
    assert picked(None, "x-q60.auto", alpha=True) == "x.png"
    assert picked(None, "x-q7.auto", animated=True) == "x.gif"


def test_white_under_an_opaque_format_vanishes() -> None:
    assert picked(None, "x-bgffffff.auto") == "x.jpg"
    assert picked("image/webp", "x-bgffffff.auto") == "x-bgffffff.webp"


def test_lossless_is_kept_by_what_is_picked() -> None:
    assert picked(CHROME, "x-lossless.auto") == "x-lossless.avif"
    assert picked(OLD_SAFARI, "x-lossless.auto") == "x-lossless.webp"
    assert picked("image/jpeg", "x-lossless.auto") == "x.png"
    assert picked(None, "x-lossless.auto", animated=True) == "x.png"


def test_a_profile_or_metadata_that_is_wanted_is_kept_by_what_is_picked() -> None:
    for option in ("p3", "icc", "copyright", "meta"):
        assert picked(CHROME, f"x-{option}.auto") == f"x-{option}.avif"
        assert picked(None, f"x-{option}.auto", animated=True) == f"x-{option}.jpg"


@pytest.mark.parametrize("text", ["-300X.auto", "-300x.AUTO", "-300x.jpg", "", ".auto", "-0x.auto", "-x-q7-gray.auto"])
def test_only_the_one_spelling_of_a_request_is_negotiated(text: str) -> None:
    with pytest.raises(BadName):
        negotiate(IDENT + text, CHROME)


def test_a_request_is_read_back_from_its_text() -> None:
    for suffix in ("x", "300x-q80", "300x-q60", "3x4-cover-smart", "x-page1", "x-lossless", "x-bgffffff"):
        auto = parse_auto(f"{IDENT}-{suffix}.auto")
        assert str(auto) == f"{IDENT}-{suffix}.auto"
        assert negotiate(auto, CHROME) == negotiate(str(auto), CHROME)


def test_a_request_that_no_text_says_cannot_be_made() -> None:
    for suffix, quality in (
        (Suffix(format=Format.JPG), None),
        (Suffix(format=Format.WEBP, quality=7), None),
        (Suffix(format=Format.WEBP), 101),
        (Suffix(format=Format.WEBP), 0),
        (Suffix(format=Format.WEBP, lossless=True), 80),
        (Suffix(format=Format.WEBP, lossless=True), 7),
    ):
        with pytest.raises(ValueError, match=r"request|not a name"):
            Auto(IDENT, suffix, quality)
    with pytest.raises(BadName):
        Auto("abc", Suffix(format=Format.WEBP))


@given(
    spellings(formats=("auto",)),
    st.text(max_size=60) | st.sampled_from([CHROME, FIREFOX, SAFARI, OLD_SAFARI]),
    st.data(),
)
def test_every_request_is_answered_by_a_name_whatever_is_accepted(text: str, accept: str, data: st.DataObject) -> None:
    auto = attempt(parse_auto, f"{IDENT}-{text}")
    if isinstance(auto, BadName):
        return
    facts = {"alpha": data.draw(st.booleans()), "animated": data.draw(st.booleans())}
    name = negotiate(auto, accept, formats=data.draw(st.sets(st.sampled_from(Format))), **facts)
    assert parse(str(name)) == name
    assert name.suffix.width == auto.suffix.width
    assert name.suffix.quality in {None, auto.quality}


@given(suffixes(), st.sampled_from(Format))
def test_another_format_of_a_picture_is_a_name_and_the_same_format_is_the_same(suffix: Suffix, output: Format) -> None:
    assert adapt(suffix, suffix.format) == suffix
    other = adapt(suffix, output)
    if other is not None:
        assert other.format is output
        assert (other.tone, other.keep, other.crop) == (suffix.tone, suffix.keep, suffix.crop)


WEIGHTS = {
    "image/webp": {"image/webp": 1000},
    " image/webp ; q=0.25\t,, text/html": {"image/webp": 250, "text/html": 1000},
    "IMAGE/WebP;Q=0.5": {"image/webp": 500},
    "a/b;q=1.000,c/d;q=0.,e/f;q=1.,g/h;q=0.001": {"a/b": 1000, "c/d": 0, "e/f": 1000, "g/h": 1},
    "a/b;q=2,c/d;q=0.1234,e/f;q=,g/h;q=-1,i/j;q=1.001,k/l;q=.5": {},
    "a/b;v=1,c/d;v=1;q=0.5,e/f;q=0.5;ext=1": {"e/f": 500},
    'x/y;a="image/avif, image/webp";q=1,c/d': {"c/d": 1000},
    'x/y;a="\\", image/avif,",c/d': {"c/d": 1000},
    'c/d,x/y;a="image/avif, image/webp': {"c/d": 1000},
    "image,image/,/webp,*/webp,a/b/c,a b/c,a/b c": {},
    "a/b;q=0.2,a/b;q=0.7,a/b": {"a/b": 1000},
    "a/b,a/b;q=0.2": {"a/b": 1000},
    "*/*;q=0.1,image/*;q=0.3": {"*/*": 100, "image/*": 300},
    "a/b;;q=0.5;": {"a/b": 500},
    "": {"*/*": 1000},
}


@pytest.mark.parametrize(("field", "weights"), WEIGHTS.items())
def test_an_accept_field_is_read_as_rfc_9110_says(field: str, weights: dict[str, int]) -> None:
    assert read_accept(field).weights == weights


def test_the_most_specific_range_counts() -> None:
    accept = read_accept("*/*;q=0.1,image/*;q=0.3,image/gif;q=0,text/plain;q=0.9")
    assert [accept.weight(kind) for kind in ("image/gif", "image/png", "text/plain", "text/html")] == [0, 300, 900, 100]
    assert [accept.listed(kind) for kind in ("image/gif", "image/png", "text/plain")] == [0, 0, 900]
    assert read_accept("text/html").weight("image/png") == 0
    assert read_accept(None).weight("image/png") == 1000


@given(st.text('image/webp*;q=0.1, "\\', max_size=80) | st.text())
def test_no_accept_field_is_an_error(field: str) -> None:
    assert all(0 <= weight <= 1000 for weight in read_accept(field).weights.values())
