from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from derivproxy.domain import errors
from derivproxy.domain.errors import BadName, Fault, Overloaded, Unauthorised
from derivproxy.web.problems import KINDS, Problem

DOCS = Path(__file__).parents[2] / "docs" / "http.md"


def every_fault(root: type[Fault] = Fault) -> list[type[Fault]]:
    return [root, *(each for below in root.__subclasses__() for each in every_fault(below))]


@pytest.mark.parametrize("fault", [each for each in every_fault() if each.__module__ == errors.__name__])
def test_every_fault_has_its_status(fault: type[Fault]) -> None:
    assert fault.code in KINDS
    problem = Problem.from_fault(fault("why"))
    assert problem.status == KINDS[fault.code].status
    refused = issubclass(fault, errors.Refused) and fault is not errors.Refused
    assert (400 <= problem.status < 500) == refused


def test_no_row_of_the_table_is_for_nothing() -> None:
    of_http = {"blocked", "not-found", "method-not-allowed", "upload-stalled"}
    of_http |= {"precondition-failed", "range-not-satisfiable", "internal"}
    assert set(KINDS) == {each.code for each in every_fault() if each.__module__ == errors.__name__} | of_http


def test_every_code_and_its_status_are_in_the_docs() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| ([0-9]{3})", DOCS.read_text(), re.MULTILINE))
    assert {code: int(status) for code, status in rows.items()} == {code: kind.status for code, kind in KINDS.items()}


def test_a_bad_name_says_where_and_what_was_expected() -> None:
    body = json.loads(Problem.from_fault(BadName("no", position=3, expected="a digit")).body())
    assert (body["code"], body["status"], body["position"], body["expected"]) == ("bad-name", 404, 3, "a digit")
    assert body["detail"] == "no"
    assert body["type"].endswith(":bad-name")


def test_what_may_work_later_says_when() -> None:
    headers = dict(Problem.from_fault(Overloaded("full", retry_after=7)).raw_headers(1, image=True, guarded=False))
    assert headers[b"retry-after"] == b"7"
    assert headers[b"cache-control"] == b"no-store"


def test_a_missing_token_is_asked_for() -> None:
    headers = dict(Problem.from_fault(Unauthorised("no")).raw_headers(1, image=False, guarded=False))
    assert headers[b"www-authenticate"] == b"Bearer"


@pytest.mark.parametrize(
    ("image", "guarded", "kept"), [(True, False, True), (True, True, False), (False, False, False)]
)
@pytest.mark.parametrize("code", ["bad-name", "unknown-image", "removed", "crop-outside"])
def test_only_what_is_the_same_for_everybody_is_kept(code: str, *, image: bool, guarded: bool, kept: bool) -> None:
    headers = dict(Problem.of(code, "why").raw_headers(1, image=image, guarded=guarded))
    assert headers[b"cache-control"] == (b"public, max-age=10" if kept else b"no-store")


def test_a_fault_with_a_code_nobody_knows_is_no_crash() -> None:
    class Strange(Fault):
        code = "strange"

    problem = Problem.from_fault(Strange("odd \udcff"))
    assert problem.status == 500
    assert json.loads(problem.body())["code"] == "strange"
