"""Proof 3: the ABNF, run by a library of its own, and the conditions, written a second time, agree with the parser."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from abnf.parser import ParseError, Rule
from hypothesis import example, given, settings
from hypothesis import strategies as st

import grammar
from grammar import BadName, parse, parse_key, parse_suffix
from grammar.expression import Captured, Choice, Expression, OneOf, Sequence, Times, Word, furthest, pattern
from grammar.strict import FORMAT, KEY, NAME, OPTIONS
from tests.grammar.attempts import attempt
from tests.grammar.reference import IDENT, conditions_hold
from tests.grammar.strategies import mutated, spellings, texts, whole

ABNF = Path(grammar.__file__).with_name("names.abnf")


class Names(Rule):
    """The rules of the file."""


@pytest.fixture(scope="module", autouse=True)
def rules() -> None:
    Names.from_file(ABNF)


def generated(rule: str, text: str) -> bool:
    try:
        Names(rule).parse_all(text)
    except ParseError:
        return False
    return True


def accepted(text: str, *, keys: bool) -> bool:
    return not isinstance(attempt(parse_key if keys else parse, text), BadName)


@settings(max_examples=600)
@given(texts)
@example("")
@example(IDENT)
@example(f"{IDENT}~65535")
@example(f"{IDENT}~65536")
@example(f"{IDENT}~0")
@example(f"{IDENT}-X.jpg")
@example(f"{IDENT}-x.jpg\r\n")
@example(f"{IDENT}-99999x.jpg")
@example(f"{IDENT}-10x10-pad-northwest-bg00ff00.png")
@example(f"{IDENT}-x-q9.gif")
def test_the_parser_takes_what_the_abnf_generates_and_the_conditions_allow(text: str) -> None:
    for rule, keys in (("name", False), ("key", True)):
        spelled = generated(rule, text)
        assert spelled == (re.fullmatch(pattern(KEY if keys else NAME), text) is not None)
        assert accepted(text, keys=keys) == (spelled and conditions_hold(text))


@settings(max_examples=500)
@given(st.from_regex(pattern(KEY), fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_the_abnf_generates_what_the_expression_does(text: str) -> None:
    assert generated("key", text)


def _shapes(expression: Expression) -> set[str]:
    """Every word and every way through *expression*, with one digit standing for all."""
    match expression:
        case Word(text):
            return {text}
        case OneOf(characters):
            return {characters[0]}
        case Captured(_, part):
            return _shapes(part)
        case Choice(parts):
            return set().union(*map(_shapes, parts))
        case Sequence(parts):
            return {"".join(texts) for texts in product(*map(_shapes, parts))}
        case Times(part, least, most):
            return {text * times for text in _shapes(part) for times in {least, max(least, 1), most or least}}


def test_every_word_of_every_option_is_in_the_abnf() -> None:
    spelled = [shape for option in OPTIONS for shape in _shapes(option)]
    assert len(spelled) > 100
    for shape in spelled:
        assert generated("name", f"{IDENT}-1x1{shape}.jpg"), shape
    for output in _shapes(FORMAT):
        assert generated("name", f"{IDENT}-x{output}"), output


def test_legal_names_broken_conditions_and_broken_spellings_are_all_tried() -> None:
    seen = {"legal": 0, "condition": 0, "spelling": 0}

    @settings(max_examples=300, database=None, derandomize=True)
    @given(whole | mutated(whole))
    def count(text: str) -> None:
        kind = "spelling" if not generated("name", text) else "legal" if conditions_hold(text) else "condition"
        seen[kind] += 1

    count()
    assert min(seen.values()) > 15, seen


@given(spellings())
def test_a_refused_condition_names_a_place_in_the_text_and_a_reason(suffix: str) -> None:
    error = attempt(parse_suffix, suffix)
    if isinstance(error, BadName):
        assert 0 <= error.position < len(suffix)
        assert error.part
        assert suffix.startswith(error.excerpt, error.position)


@given(texts)
def test_what_finds_the_fault_agrees_with_what_accepts(text: str) -> None:
    text = text[:300]
    for expression in (NAME, KEY):
        found = re.fullmatch(pattern(expression), text)
        missed = furthest(expression, text)
        assert (found is None) == (missed is not None)
        if missed is not None:
            assert 0 <= missed[0] <= len(text)


@given(st.sampled_from(["x", "30x", "30x20-cover"]), st.text("-_.0123456789abcdefghijklmnopqrstuvwxyz", max_size=6))
def test_no_word_of_another_kind_is_an_option(before: str, word: str) -> None:
    text = f"{IDENT}-{before}{word}.jpg"
    assert accepted(text, keys=False) == (generated("name", text) and conditions_hold(text))
