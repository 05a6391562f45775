"""Proof 3: the ABNF, run by a library of its own, and the conditions, written a second time, agree with the parser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from abnf.parser import ParseError, Rule
from hypothesis import example, given, settings
from hypothesis import strategies as st

import grammar
from grammar import BadName, parse, parse_key, parse_suffix
from grammar.expression import furthest, pattern
from grammar.strict import KEY, NAME
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


@settings(max_examples=1000)
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
