from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.domain.errors import BadRequest
from derivproxy.updates import Said


def test_what_is_said_is_kept_without_what_surrounds_it() -> None:
    said = Said.check(title="  Zoë & 猫 <b>\u00a0", tags=(" a ", "b", "a"), path="/holidays/2024 May/")
    assert said == Said(title="Zoë & 猫 <b>", tags=("a", "b"), path="holidays/2024 May")


def test_nothing_said_is_nothing() -> None:
    assert Said.check() == Said() == Said.check(title=" ", path="//")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"title": "x" * 501}, "title= has 501 characters; it has at most 500"),
        ({"title": "a\nb"}, r"title= has the control character '\\n'"),
        ({"title": "a\0"}, r"title= has the control character '\\x00'"),
        ({"title": "a\u202eb"}, r"title= has the control character '\\u202e'"),
        ({"title": "a\ud800"}, r"title= has the control character '\\ud800'"),
        ({"tags": ("x" * 101,)}, "tag= has 101 characters"),
        ({"tags": ("a", " ")}, "tag= is empty"),
        ({"tags": ("a\tb",)}, "tag= has the control character"),
        ({"tags": tuple(map(str, range(101)))}, "tag= is given 101 times; an image has at most 100 tags"),
        ({"path": "x" * 1001}, "path= has 1001 characters"),
        ({"path": "a/../b"}, "path='a/../b' has a part that is empty"),
        ({"path": "a//b"}, "has a part that is empty"),
        ({"path": "./b"}, "has a part that is empty"),
        ({"path": "/".join("a" * 33)}, "path= has 33 parts"),
        ({"path": "a\u2028b"}, "path= has the control character"),
    ],
)
def test_what_no_page_could_show_is_refused_naming_the_field(said: dict[str, object], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        Said.check(**said)  # type: ignore[arg-type]


def test_the_longest_of_each_are_taken() -> None:
    said = Said.check(title="x" * 500, tags=[f"{n:0100}" for n in range(100)], path="/".join(["a" * 30] * 32))
    assert Said.check(title=said.title, tags=said.tags, path=said.path) == said


@given(st.text(max_size=30), st.lists(st.text(max_size=5), max_size=4), st.text(alphabet="ab/. ", max_size=12))
def test_what_was_checked_once_stays_as_it_is(title: str, tags: list[str], path: str) -> None:
    try:
        said = Said.check(title=title, tags=tags, path=path)
    except BadRequest:
        return
    assert Said.check(title=said.title, tags=said.tags, path=said.path) == said
    said.title.encode()
