"""Proof 2: every accepted text has one reading."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from grammar.expression import Expression, OneOf, Times, choice, maybe, pattern, sequence
from grammar.forgiving import FORGIVEN, FORGIVEN_REQUEST
from grammar.strict import AUTO, FORMAT, KEY, NAME, OPTIONS, SIZE, SUFFIX
from tests.grammar.automaton import Automaton, ambiguities
from tests.grammar.reference import IDENT
from tests.grammar.strategies import texts, whole

LETTERS = OneOf("abc", "a letter")


@pytest.mark.parametrize("expression", [SUFFIX, NAME, KEY, AUTO, FORGIVEN, FORGIVEN_REQUEST])
def test_no_text_has_two_readings(expression: Expression) -> None:
    assert ambiguities(expression) == []


AMBIGUOUS: dict[str, Expression] = {
    "the same twice": choice("a", "a"),
    "a word and its parts": choice("ab", sequence("a", "b")),
    "two ways to count": sequence(Times(LETTERS, 0, 2), Times(LETTERS, 0, 2)),
    "one and two": Times(choice("a", "aa"), 0, None),
    "overlapping classes": choice(OneOf("ab", ""), OneOf("bc", "")),
    "nothing in two ways": choice(maybe("a"), maybe("b")),
    "nothing repeated": Times(maybe("a"), 0, 3),
    "an option in two places": sequence(maybe("-a"), maybe("-a")),
    "a number that ends in two places": sequence(Times(LETTERS, 1, 2), Times(LETTERS, 1, 2)),
}


@pytest.mark.parametrize("expression", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_an_ambiguous_expression_fails_the_same_check(expression: Expression) -> None:
    assert ambiguities(expression)


CARELESS: dict[str, Expression] = {
    "a preset for a quality": maybe("-q75"),
    "a second quality": OPTIONS[-1],
    "a keyword followed by a value that reads as another": sequence("-p", OneOf("123", "a digit")),
    "a number that may be empty, then digits": sequence("-flip", Times(OneOf("0123456789", ""), 0, 3), maybe("9")),
}


@pytest.mark.parametrize("option", CARELESS.values(), ids=CARELESS.keys())
def test_a_careless_new_option_would_fail_the_same_check(option: Expression) -> None:
    assert ambiguities(sequence(SIZE, *map(maybe, OPTIONS), maybe(option), FORMAT))


def test_a_careful_new_option_passes_it() -> None:
    assert not ambiguities(sequence(SIZE, *map(maybe, OPTIONS), maybe(sequence("-grain", LETTERS)), FORMAT))


@given(texts | whole)
def test_the_automaton_accepts_what_the_expression_does_and_once(text: str) -> None:
    text = text[:300]
    assert MACHINE.accepts(text) == (re.fullmatch(pattern(KEY), text) is not None)


MACHINE = Automaton().build(KEY)


def test_the_automaton_counts_readings() -> None:
    assert Automaton().build(AMBIGUOUS["one and two"]).accepts("aaaa") == 5
    assert MACHINE.accepts(f"{IDENT}-300x200-cover-northeast-q7.webp") == 1
