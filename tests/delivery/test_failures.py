from __future__ import annotations

import pytest

from derivproxy.delivery import Failures
from derivproxy.delivery.cost import expected_bytes
from derivproxy.domain.errors import (
    BadName,
    BaseDamaged,
    BaseMissing,
    DerivationFailed,
    DiskFull,
    Fault,
    Overloaded,
    StoreUnavailable,
    TooSlow,
    Undecodable,
)
from derivproxy.domain.images import Facts
from grammar.names import Format, Suffix
from tests.delivery.rig import Clock


def raised(failures: Failures, ident: str, name: str) -> Fault | None:
    try:
        failures.check(ident, name)
    except Fault as fault:
        return fault
    return None


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Undecodable("x"), 10),
        (TooSlow("x"), 10),
        (DerivationFailed("x"), 10),
        (BaseMissing("x"), 1),
        (BaseDamaged("x"), 10),
    ],
)
def test_faults_are_remembered_for_their_time(fault: Fault, seconds: float) -> None:
    clock = Clock()
    failures = Failures(clock)
    failures.note("a", "a-1", fault)
    clock.now += seconds - 0.1
    again = raised(failures, "a", "a-1")
    assert type(again) is type(fault)
    assert again is not fault
    clock.now += 0.1
    assert raised(failures, "a", "a-1") is None


@pytest.mark.parametrize("fault", [Overloaded("x"), StoreUnavailable("x"), DiskFull("x")])
def test_what_is_nobody_s_fault_is_not_remembered(fault: Fault) -> None:
    failures = Failures(Clock())
    failures.note("a", "a-1", fault)
    assert raised(failures, "a", "a-1") is None
    assert len(failures) == 0


def test_what_concerns_the_base_concerns_all_its_names() -> None:
    failures = Failures(Clock())
    failures.note("a", "a-1", BaseMissing("x"))
    assert isinstance(raised(failures, "a", "a-2"), BaseMissing)
    assert raised(failures, "b", "b-1") is None


def test_strikes_count_names_and_only_those_of_the_last_minute() -> None:
    clock = Clock()
    failures = Failures(clock)
    for number in (1, 1, 1, 2):
        failures.note("a", f"a-{number}", TooSlow("x"))
    assert raised(failures, "a", "a-9") is None
    clock.now += 61
    failures.note("a", "a-3", TooSlow("x"))
    failures.note("a", "a-4", TooSlow("x"))
    assert raised(failures, "a", "a-9") is None
    failures.note("a", "a-5", DerivationFailed("x"))
    assert isinstance(raised(failures, "a", "a-9"), DerivationFailed)
    clock.now += 61
    assert raised(failures, "a", "a-9") is None


def test_dropping_forgets_all_of_an_ident_and_nothing_of_another() -> None:
    failures = Failures(Clock(), strikes=1)
    for ident in "ab":
        failures.note(ident, f"{ident}-1", TooSlow("x"))
    failures.drop("a")
    assert raised(failures, "a", "a-1") is None
    assert isinstance(raised(failures, "b", "b-1"), TooSlow)


def test_the_number_of_failures_is_bounded() -> None:
    failures = Failures(Clock(), remembered=10)
    for number in range(100):
        failures.note(f"{number}", f"{number}-1", TooSlow("x"))
        failures.note(f"{number}", f"{number}-2", BaseMissing("x"))
    assert len(failures) <= 30
    assert isinstance(raised(failures, "99", "99-1"), TooSlow)


def test_what_a_fault_carries_is_raised_again_with_it() -> None:
    failures = Failures(Clock())
    failures.note("a", "a-1", DerivationFailed("twice", retry_after=42))
    again = raised(failures, "a", "a-1")
    assert again is not None
    assert (again.detail, again.retry_after) == ("twice", 42)
    failures.note("a", "a-1", BadName("no", position=3, expected="x"))
    bad = raised(failures, "a", "a-1")
    assert isinstance(bad, BadName)
    assert (bad.position, bad.expected) == (3, "x")


def photo(**other: object) -> Facts:
    facts: dict[str, object] = {"media_type": "image/jpeg", "bytes": 1, "md5": "0" * 32, "width": 6000, "height": 3000}
    return Facts(**(facts | other))  # type: ignore[arg-type]


def test_what_holds_the_whole_picture_costs_more() -> None:
    suffix = Suffix(format=Format.JPG, width=400)
    plain = expected_bytes(suffix, photo())
    assert 16 << 20 <= plain < 32 << 20
    assert expected_bytes(suffix, photo(interlaced=True)) > 100_000_000
    assert expected_bytes(suffix, photo(media_type="image/webp")) > plain
    moving = photo(media_type="image/gif", width=500, height=500, pages=100, animated=True)
    assert expected_bytes(suffix, moving) > expected_bytes(Suffix(format=Format.JPG, page=2), moving)
    assert expected_bytes(Suffix(format=Format.JPG, rotate=90), photo()) > plain
