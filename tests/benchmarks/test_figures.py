from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from harness import report
from harness.encoding import encoders_of_the_service
from harness.parts import Column, in_turn
from harness.spread import Spread, percentile
from harness.works import WORKS, Photo, Work

if TYPE_CHECKING:
    from pathlib import Path


def test_a_spread_is_the_median_with_its_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([3.0, 1.0, 2.0]).text() == "2.0 (1.0-3.0)"


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.99) == 100
    assert percentile([7.0], 0.99) == 7


def test_each_round_begins_with_another_contestant() -> None:
    rounds = list(in_turn(["a", "b", "c"], 4))  # type: ignore[list-item]
    assert [one[0] for one in rounds] == ["a", "b", "c", "a"]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)


def test_heights_follow_the_width_halves_up() -> None:
    assert Work("", Photo("", 4272, 2848), "jpg").height == 267
    assert Work("", Photo("", 800, 401), "jpg").height == 201
    assert {work.width for work in WORKS} == {400}


def test_the_service_writes_with_options_every_peer_is_told() -> None:
    encoders = encoders_of_the_service()
    assert encoders.avif_speed == 9 - encoders.avif_effort
    for suffix in ("jpg", "webp", "avif", "png"):
        assert encoders.save_options(suffix)


def test_a_table_has_a_dash_where_one_did_not_take_part() -> None:
    one = Column()
    one.add(cpu_ms=1.25)
    text = report.by_work({"work": {"bare": one}}, ["bare", "ipx"], "cpu_ms", 1)
    assert text.splitlines()[2] == "| work | 1.2 (1.2-1.2) | -   |"


def test_publishing_replaces_the_last_run_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.publish("new", page)
    assert page.read_text() == f"before\n{report.BEGIN}\nnew\n{report.END}\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("mine\n")
    with pytest.raises(ValueError, match="lacks the marks"):
        report.publish("new", page)
    assert page.read_text() == "mine\n"
