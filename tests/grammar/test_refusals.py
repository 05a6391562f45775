"""What a refusal says: where, what could stand there, and why; and that it costs nothing to be refused."""

from __future__ import annotations

import pickle
import sys
import time
import tracemalloc
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

import pytest

from grammar import (
    BadName,
    admit,
    canonical,
    canonical_request,
    negotiate,
    parse,
    parse_auto,
    parse_key,
    parse_suffix,
)
from grammar.accept import read_accept
from grammar.errors import EXCERPT
from grammar.forgiving import LONGEST_FORGIVEN, LOWER
from tests.grammar.reference import IDENT

if TYPE_CHECKING:
    from collections.abc import Callable

READERS = [
    parse,
    parse_key,
    parse_suffix,
    parse_auto,
    canonical,
    canonical_request,
    admit,
    lambda t: negotiate(t, None),
]


def refusal(read: Callable[[str], object], text: str) -> BadName:
    with pytest.raises(BadName) as refused:
        read(text)
    return refused.value


def test_a_missing_height_is_missed_where_it_belongs() -> None:
    error = refusal(parse, f"{IDENT}-300x-cover.jpg")
    assert (error.position, error.expected, error.part) == (69, ("a height from 1 to 65535",), "height")
    assert str(error) == (
        "not a name: at position 69 '-cover.jpg' stands; expected a height from 1 to 65535 (cover needs both sides)"
    )


def test_a_default_that_is_spelled_says_so() -> None:
    error = refusal(parse, f"{IDENT}-300x-q80.jpg")
    assert (error.position, error.expected, error.why) == (69, ("no -q80",), "80 is the default of jpg, unspelled")


def test_a_misspelled_option_is_refused_where_it_begins_with_all_that_could_stand_there() -> None:
    error = refusal(parse, f"{IDENT}-300x200-covr-q70.jpg")
    assert error.position == 72
    assert {"-cover", "-pad", "-stretch", "-page", "-q", "-lossless", ".jpg", ".jxl", "a digit"} <= set(error.expected)
    assert error.excerpt == "-covr-q70.jpg"


def test_an_option_too_early_leaves_only_what_may_follow() -> None:
    error = refusal(parse, f"{IDENT}-300x-meta-gray.jpg")
    assert error.position == 74
    assert error.expected == ("-q", "-lossless", ".jpg", ".png", ".webp", ".avif", ".gif", ".tif", ".jxl")


def test_a_text_that_ends_too_early_says_so() -> None:
    assert "the text ends" in str(refusal(parse, f"{IDENT}-300"))
    assert refusal(parse, IDENT[:-1]).position == 63
    assert refusal(parse, "").position == 0


def test_a_suffix_is_refused_at_its_own_positions() -> None:
    assert refusal(parse_suffix, "300x-cover.jpg").position == 4
    assert refusal(parse_suffix, "-300x.jpg").position == 0


def test_forgiveness_refuses_at_the_position_of_what_was_written() -> None:
    error = refusal(canonical, f"{IDENT.upper()}-0300X-GRAY-COVER@2x.JPEG")
    assert (error.position, error.part) == (70, "height")
    assert error.excerpt.startswith("-GRAY")
    error = refusal(canonical, f"{IDENT}-10x10-pad-q7-cover.jpg")
    assert (error.position, error.expected, error.why) == (77, ("no second fit",), "one fit stands before")


def test_a_request_of_any_format_is_no_name_where_names_are_wanted() -> None:
    for read in (parse, canonical):
        error = refusal(read, f"{IDENT}-300x.auto")
        assert error.position == 69
        assert ".jpg" in error.expected
        assert ".auto" not in error.expected
    assert ".auto" in refusal(canonical_request, f"{IDENT}-300x.aut").expected


@pytest.mark.parametrize(
    "text",
    [
        f"{IDENT}-300x.jpg\n",
        f"\n{IDENT}-300x.jpg",
        f"{IDENT}\n",
        f"{IDENT}-300x\0.jpg",
        f"{IDENT}\0",
        f"{IDENT}%2d300x.jpg",
        f"{IDENT}-300%78.jpg",
        f"{IDENT}-\uff13\uff10\uff10x.jpg",
        f"{IDENT}-\u0663\u0660\u0660x.jpg",
        f"{IDENT}-30²x.jpg",
        f"{IDENT}-300x-q\uff17\uff10.jpg",
        f"{IDENT[:-1]}\uff13-300x.jpg",
        f"{IDENT}-300x-lo\u017f\u017fless.webp",  # a long s, which folds to s
        f"{IDENT}-300\u00d7.jpg",
        f"{IDENT}-300x.\u212apg",  # the Kelvin sign, which is k in lower case
        f"{IDENT}-300x-blur4\u212a.jpg",
        f"{IDENT}-300x.jp\uff47",
        f"{IDENT}-300x.jpg ",
        f" {IDENT}-300x.jpg",
        f"{IDENT}-300x.jpg?",
        f"{IDENT}-300x.jpg/",
        f"/{IDENT}-300x.jpg",
        f"{IDENT}-+300x.jpg",
        f"{IDENT}-3_0x.jpg",
        f"{IDENT}-300x.jpg\ud800",
        f"{IDENT}_300x.jpg",
        f"{IDENT}+300x.jpg",
    ],
)
def test_what_looks_like_a_name_to_others_is_refused_by_every_reader(text: str) -> None:
    for read in READERS:
        error = refusal(read, text)
        str(error).encode("ascii")
        assert len(str(error)) < 1000


def test_forgiving_capitals_touches_no_other_alphabet() -> None:
    # Not one of them: the Kelvin sign is k in lower case, and a dotted capital I becomes two characters.
    others = "".join(chr(code) for code in range(sys.maxunicode + 1) if not "A" <= chr(code) <= "Z")
    assert others.translate(LOWER) == others
    assert ascii_uppercase.translate(LOWER) == ascii_lowercase


def test_a_message_quotes_little_and_safely() -> None:
    error = refusal(parse, f"{IDENT}-\x1b[31m\n" + "Z" * 10_000)
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)
    assert len(error.excerpt) == EXCERPT
    assert sum(len(str(part)) for part in error.args) < 1000


def test_a_refusal_crosses_to_another_process() -> None:
    error = refusal(parse, f"{IDENT}-300x-cover.jpg")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(copy), copy.position, copy.expected, copy.part) == (str(error), 69, error.expected, "height")


JUNK = ["!", "0", "a", "-q1", "-x", "\n", "\0", "\uff13", "-focus1_1"]
LONG = 10_000_000


@pytest.mark.parametrize("piece", JUNK)
@pytest.mark.parametrize("start", ["", f"{IDENT}-300x", f"{IDENT}-x.jpg"])
def test_junk_is_refused_without_looking_past_the_longest_name(start: str, piece: str) -> None:
    short = start + piece * (2 * LONGEST_FORGIVEN)
    long = start + piece * (LONG // len(piece))
    for read in READERS:
        tracemalloc.start()
        try:
            errors = refusal(read, short), refusal(read, long)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert errors[0].args == errors[1].args
        assert peak < 200_000  # of 10 MB nothing is copied


def _seconds(read: Callable[[str], object], text: str) -> float:
    best = 1.0
    for _ in range(7):
        started = time.perf_counter()
        for _ in range(5):
            refusal(read, text)
        best = min(best, time.perf_counter() - started)
    return best


def test_ten_megabytes_are_refused_in_the_time_of_a_few_hundred_bytes() -> None:
    for read in (parse, canonical, admit):
        text = f"{IDENT}-x" + "-q1" * (LONG // 3)
        assert _seconds(read, text) < 10 * _seconds(read, text[: 2 * LONGEST_FORGIVEN])


def test_a_refusal_costs_time_in_proportion_to_the_text() -> None:
    for read, start, piece in ((canonical, f"{IDENT}-", "0"), (canonical, f"{IDENT}-x-crop", "0_")):
        few, many = start + piece * 50, start + piece * 200
        assert _seconds(read, many) < 40 * _seconds(read, few)


@pytest.mark.parametrize("piece", ['"', '\\"', '"\\', ",", ";", "image/", ';q="', "a/b;q=0.1,"])
def test_a_hostile_accept_field_is_read_in_linear_time(piece: str) -> None:
    started = time.perf_counter()
    read_accept(piece * (300_000 // len(piece)))
    assert time.perf_counter() - started < 2.0
