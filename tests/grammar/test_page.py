"""The page of names says what the package does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import grammar
from grammar import BadName, canonical
from grammar.expression import Captured, Choice, Expression, OneOf, Sequence, Times, Word
from grammar.forgiving import FORGIVEN, LONGEST_FORGIVEN
from grammar.strict import KEY, LONGEST_NAME
from tests.grammar.reference import IDENT, QUALITIES

ROOT = Path(grammar.__file__).parents[1]
PAGE = ROOT / "docs" / "names.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="installed without the documentation")


def _words(expression: Expression) -> set[str]:
    match expression:
        case Word(text):
            return {text.strip("-.")}
        case OneOf():
            return set()
        case Sequence(parts) | Choice(parts):
            return set().union(*map(_words, parts))
        case Times(part) | Captured(_, part):
            return _words(part)


def test_the_abnf_of_the_page_is_the_one_that_is_shipped() -> None:
    assert f"```abnf\n{(ROOT / 'grammar' / 'names.abnf').read_text()}```" in PAGE.read_text()


def test_every_word_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert all(word in text for word in _words(KEY) | _words(FORGIVEN))
    assert all(f"{output} {quality}" in text for output, quality in QUALITIES.items())
    assert f"The longest name has {LONGEST_NAME} characters" in text
    assert f"more than {LONGEST_FORGIVEN} characters" in text


def test_every_example_of_a_derivative_is_a_name() -> None:
    examples = re.findall(r"^\| `(-[^`]*)` \|", PAGE.read_text().partition("## Four kinds")[0], re.MULTILINE)
    assert len(examples) == 12
    for example in examples[:-1]:
        assert canonical(IDENT + example) == IDENT + example


def test_what_the_table_of_forgiveness_maps_is_mapped() -> None:
    table = PAGE.read_text().partition("## What is forgiven")[2].partition("A spelled default")[0]
    rows = re.findall(r"^\| ((?:`-[^`]*` ?)+) \| ((?:`-[^`]*` ?)+) \|", table, re.MULTILINE)
    pairs = [pair for written, meant in rows for pair in zip(written.split(), meant.split(), strict=True)]
    assert len(pairs) >= 8
    for written, meant in pairs:
        assert canonical(IDENT + written.strip("`")) == IDENT + meant.strip("`")


def test_the_message_on_the_page_is_the_message() -> None:
    with pytest.raises(BadName) as refused:
        canonical(f"{IDENT}-300x-cover.jpg")
    assert str(refused.value) in PAGE.read_text()
