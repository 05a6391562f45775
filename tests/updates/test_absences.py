from __future__ import annotations

from derivproxy.updates import Absences


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_absence_is_remembered_for_its_time() -> None:
    clock = Clock()
    absences = Absences(clock, seconds=2)
    assert "a" not in absences
    absences.note("a")
    clock.now += 1.9
    assert "a" in absences
    clock.now += 0.1
    assert "a" not in absences


def test_an_absence_can_be_forgotten() -> None:
    absences = Absences(Clock())
    absences.note("a")
    absences.forget("a")
    absences.forget("b")
    assert "a" not in absences


def test_the_oldest_absence_gives_way_when_there_are_too_many() -> None:
    absences = Absences(Clock(), remembered=3)
    for ident in "abacd":
        absences.note(ident)
    assert [ident for ident in "abcd" if ident in absences] == ["a", "c", "d"]


def test_questions_are_allowed_in_a_burst_and_then_at_a_rate() -> None:
    clock = Clock()
    absences = Absences(clock, per_second=10, at_once=5)
    assert [absences.allow() for _ in range(7)] == [True] * 5 + [False] * 2
    clock.now += 0.25
    assert [absences.allow() for _ in range(3)] == [True, True, False]
    clock.now += 1_000
    assert [absences.allow() for _ in range(6)] == [True] * 5 + [False]
