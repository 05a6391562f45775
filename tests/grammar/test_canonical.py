"""What is forgiven, to what it is mapped, and what is not forgiven."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar import BadName, Base, Derivative, Respelled, admit, canonical, canonical_request, parse, parse_auto
from tests.grammar.cases import FORGIVEN, REFUSED, REQUESTS
from tests.grammar.reference import IDENT


@pytest.mark.parametrize(("written", "meant"), FORGIVEN.items())
def test_is_forgiven(written: str, meant: str) -> None:
    assert canonical(IDENT + written) == IDENT + meant
    assert canonical(IDENT.upper() + written) == IDENT + meant
    assert admit(IDENT + written) == Respelled(IDENT + meant)
    assert isinstance(parse(IDENT + meant), Derivative)


def test_an_ident_in_capitals_is_its_base() -> None:
    assert canonical(IDENT.upper()) == IDENT
    assert admit(IDENT.upper()) == Respelled(IDENT)


@pytest.mark.parametrize("written", REFUSED)
def test_is_not_forgiven(written: str) -> None:
    with pytest.raises(BadName) as refused:
        canonical(IDENT + written)
    # The position is of the text as written, behind the ident, which is right.
    assert 64 <= refused.value.position <= 64 + len(written)
    assert refused.value.excerpt == (IDENT + written)[refused.value.position :][:24]


@pytest.mark.parametrize("written", REFUSED[:13])
def test_what_is_said_twice_is_refused_where_it_is_said_again(written: str) -> None:
    with pytest.raises(BadName) as refused:
        canonical(IDENT + written)
    assert refused.value.position > 64 + written.index("-", 1)


@given(st.integers(1, 65535), st.integers(10, 40))
def test_a_scale_rounds_halves_up_and_exactly(side: int, tenths: int) -> None:
    written = f"{IDENT}-{side}x@{tenths // 10}.{tenths % 10}x.png"
    # The nearest whole number, and of two equally near ones the larger.
    wanted = max(range(side * tenths // 10, side * tenths // 10 + 2), key=lambda n: (-abs(10 * n - side * tenths), n))
    if wanted > 65535:
        with pytest.raises(BadName):
            canonical(written)
    else:
        assert canonical(written) == f"{IDENT}-{wanted}x.png"


@pytest.mark.parametrize(("written", "meant"), REQUESTS.items())
def test_a_request_has_one_spelling_too(written: str, meant: str) -> None:
    assert canonical_request(IDENT + written) == IDENT + meant
    assert admit(IDENT + meant) == parse_auto(IDENT + meant)
    if written != meant:
        assert admit(IDENT + written) == Respelled(IDENT + meant)
    with pytest.raises(BadName):
        canonical(IDENT + written)


@pytest.mark.parametrize(
    "written", ["-300x-cover.auto", "-x-q101.auto", "-x-gray-p3.auto", "-x-q7-lossless.auto", "~9.auto"]
)
def test_a_request_keeps_the_conditions_that_no_format_lifts(written: str) -> None:
    for read in (admit, parse_auto, canonical_request):
        with pytest.raises(BadName) as refused:
            read(IDENT + written)
        assert 64 <= refused.value.position < 64 + len(written)


def test_the_door_gives_canonical_names_as_values() -> None:
    assert admit(IDENT) == Base(IDENT)
    assert admit(f"{IDENT}-300x.jpg") == parse(f"{IDENT}-300x.jpg")
