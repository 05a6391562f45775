"""Proofs 1 and 5: one text for one value, and the laws of `canonical`."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grammar import (
    BadName,
    Base,
    Derivative,
    Key,
    Name,
    Rung,
    Suffix,
    canonical,
    canonical_request,
    parse,
    parse_auto,
    parse_key,
    parse_suffix,
)
from tests.grammar.attempts import attempt
from tests.grammar.reference import FORMATS, IDENT
from tests.grammar.strategies import idents, mutated, spellings, suffixes, texts, whole

names: st.SearchStrategy[Name] = st.builds(Base, idents) | st.builds(Derivative, idents, suffixes())
keys: st.SearchStrategy[Key] = names | st.builds(Rung, idents, st.integers(1, 65535))


@given(names)
def test_a_name_is_read_back_from_its_text(name: Name) -> None:
    assert parse(str(name)) == name


@given(keys)
def test_a_key_is_read_back_from_its_text(key: Key) -> None:
    assert parse_key(str(key)) == key


@given(suffixes())
def test_a_suffix_is_read_back_from_its_text(suffix: Suffix) -> None:
    assert parse_suffix(str(suffix)) == suffix


@given(texts)
@example(f"{IDENT}-x.jpg\n")
@example(f"{IDENT}\n")
def test_every_text_is_an_error_or_the_text_of_its_value(text: str) -> None:
    for read in (parse, parse_key, parse_suffix, parse_auto):
        value = attempt(read, text)
        assert isinstance(value, BadName) or str(value) == text


@given(names)
def test_canonical_leaves_a_canonical_name_as_it_is(name: Name) -> None:
    assert canonical(str(name)) == str(name)
    assert canonical_request(str(name)) == str(name)


def _careless(text: str, draw: st.DataObject) -> str:
    """*text* in other spellings of the same name."""
    stem, _, output = text.rpartition(".")
    ident, size, *options = stem.split("-")
    width, height = (("0" * draw.draw(st.integers(0, 2))) + side for side in size.split("x"))
    options = draw.draw(st.permutations([*options, *draw.draw(st.sampled_from([[], ["rot0"]]))]))
    if sum(option.startswith("rot") for option in options) > 1:
        options.remove("rot0")
    output = {"jpg": "jpeg", "tif": "tiff"}.get(output, output) if draw.draw(st.booleans()) else output
    text = (
        "-".join([ident, f"{width}x{height}", *options])
        + draw.draw(st.sampled_from(["", "@1x", "@1.0x"]))
        + f".{output}"
    )
    return "".join(letter.upper() if draw.draw(st.booleans()) else letter for letter in text)


@given(suffixes(), st.data())
def test_other_spellings_of_a_name_come_back_to_it(suffix: Suffix, data: st.DataObject) -> None:
    name = f"{IDENT}-{suffix}"
    assert canonical(_careless(name, data)) == name


loose = st.builds(
    "{}-{}".format,
    st.sampled_from([IDENT, IDENT.upper()]),
    spellings(formats=(*FORMATS, "jpeg", "TIFF", "auto"))
    | st.builds("{}@{}x.jpg".format, st.just("30x-blur7"), st.floats(0, 5)),
)


@given(texts | loose | mutated(loose))
def test_canonical_is_total_and_idempotent_and_gives_only_names(text: str) -> None:
    name = attempt(canonical, text)
    if isinstance(name, BadName):
        assert 0 <= name.position <= len(text)
        assert name.expected
        return
    assert str(parse(name)) == name
    assert canonical(name) == name


@given(texts | loose | mutated(loose))
def test_a_request_has_one_spelling(text: str) -> None:
    request = attempt(canonical_request, text)
    if isinstance(request, BadName):
        return
    assert canonical_request(request) == request
    assert str(parse_auto(request) if request.endswith(".auto") else parse(request)) == request


@given(idents, suffixes())
def test_a_derivative_is_never_a_base_nor_a_rung(ident: str, suffix: Suffix) -> None:
    assert isinstance(parse(f"{ident}-{suffix}"), Derivative)
    assert isinstance(parse_key(f"{ident}-{suffix}"), Derivative)
    assert parse(ident) == parse_key(ident) == Base(ident)


@given(whole)
def test_at_the_door_a_rung_is_a_bad_name(text: str) -> None:
    rung = f"{IDENT}~{len(text)}"
    assert parse_key(rung) == Rung(IDENT, len(text))
    for read in (parse, canonical, canonical_request):
        with pytest.raises(BadName) as refused:
            read(rung)
        assert refused.value.position == 64


@given(keys)
def test_a_value_crosses_to_another_process(key: Key) -> None:
    assert pickle.loads(pickle.dumps(key)) == key  # noqa: S301
