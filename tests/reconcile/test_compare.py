from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.stores import Entry
from reconcile.compare import UnorderedListing, compare
from reconcile.drift import Drift, Kind, Seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

T = TypeVar("T")

NOW = 1_000_000.0
GRACE = 100.0
OLD, YOUNG = NOW - GRACE, NOW - GRACE + 1
IDENTS = [digit * 64 for digit in "0123456789ab"]
A, B, C, D = IDENTS[:4]


async def each(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


async def drifts(objects: dict[str, float], idents: list[str]) -> tuple[list[Drift], Seen]:
    entries = [Entry(key=key, size=len(key), modified=objects[key]) for key in sorted(objects)]
    seen = Seen()
    found = [drift async for drift in compare(each(entries), each(sorted(idents)), seen, now=NOW, grace_seconds=GRACE)]
    return found, seen


def short(found: list[Drift]) -> list[tuple[str, str]]:
    return [(drift.kind.value, drift.key) for drift in found]


async def test_what_is_on_both_sides_is_in_step() -> None:
    found, seen = await drifts({A: OLD, f"{A}-x.jpg": OLD, f"{A}~512": OLD, B: OLD}, [A, B])
    assert found == []
    assert seen == Seen(rows=2, bases=2, derivatives=2)


async def test_a_base_without_a_row_is_an_orphan_and_its_derivatives_are_not_stray() -> None:
    found, _ = await drifts({A: OLD, f"{A}-x.jpg": OLD, B: OLD}, [B])
    assert found == [Drift(kind=Kind.ORPHAN, key=A, ident=A, bytes=64)]


async def test_a_row_without_its_base_is_missing() -> None:
    assert short((await drifts({B: OLD}, [A, B, C]))[0]) == [("missing", A), ("missing", C)]
    assert short((await drifts({}, [A]))[0]) == [("missing", A)]


async def test_a_derivative_whose_base_is_gone_is_stray() -> None:
    found, _ = await drifts({f"{A}-x.jpg": OLD, f"{B}~512": OLD, C: OLD}, [C])
    assert short(found) == [("stray-derivative", f"{A}-x.jpg"), ("stray-derivative", f"{B}~512")]
    found, _ = await drifts({f"{B}-x.jpg": OLD}, [A, B, C])
    assert short(found) == [("missing", A), ("missing", B), ("stray-derivative", f"{B}-x.jpg"), ("missing", C)]


async def test_young_objects_are_left_alone_and_the_grace_age_itself_is_judged() -> None:
    found, seen = await drifts({A: YOUNG, f"{B}-x.jpg": YOUNG, C: OLD, D: NOW + 50}, [])
    assert short(found) == [("orphan", C)]
    assert seen.young == 3


async def test_a_row_is_missing_however_young_the_rest_is() -> None:
    assert short((await drifts({f"{A}-x.jpg": YOUNG}, [A]))[0]) == [("missing", A)]


@pytest.mark.parametrize(
    "name",
    [
        "format",
        "zz",
        A[:-1],
        A + "0",
        A.upper().replace("0", "A"),
        f"{A}-0x.jpg",
        f"{A}_x",
        f"{A}.jpg",
        f"{A}/x",
        f"{A}-x.jpg.tmp",
    ],
)
async def test_names_that_are_not_ours_are_left_alone(name: str) -> None:
    found, seen = await drifts({name: OLD, B: OLD}, [B])
    assert found == []
    assert seen.foreign == 1


async def test_a_listing_out_of_order_is_refused() -> None:
    entries = [Entry(key=key, size=1, modified=OLD) for key in (B, A)]
    with pytest.raises(UnorderedListing):
        [drift async for drift in compare(each(entries), each([A, B]), Seen(), now=NOW, grace_seconds=0)]
    with pytest.raises(UnorderedListing):
        [drift async for drift in compare(each([]), each([B, A]), Seen(), now=NOW, grace_seconds=0)]
    with pytest.raises(UnorderedListing):
        [drift async for drift in compare(each([]), each([A, A]), Seen(), now=NOW, grace_seconds=0)]


@given(
    bases=st.sets(st.sampled_from(IDENTS)),
    rows=st.sets(st.sampled_from(IDENTS)),
    derivatives=st.sets(st.tuples(st.sampled_from(IDENTS), st.sampled_from(["-x.jpg", "-300x.webp", "~512"]))),
    foreign=st.sets(st.sampled_from(["0", "5z", "a" * 63, A + "+", "zz"])),
)
def test_drift_is_what_sets_say_it_is(
    bases: set[str], rows: set[str], derivatives: set[tuple[str, str]], foreign: set[str]
) -> None:
    keys = bases | {ident + ending for ident, ending in derivatives} | foreign
    found, seen = anyio.run(drifts, dict.fromkeys(keys, OLD), list(rows))
    expected = {("orphan", ident) for ident in bases - rows}
    expected |= {("missing", ident) for ident in rows - bases}
    expected |= {("stray-derivative", ident + ending) for ident, ending in derivatives if ident not in bases}
    assert len(found) == len(expected)
    assert set(short(found)) == expected
    assert [drift.key for drift in found] == sorted(drift.key for drift in found)
    assert seen == Seen(rows=len(rows), bases=len(bases), derivatives=len(derivatives), foreign=len(foreign))


async def test_a_comparison_reads_no_more_than_it_needs() -> None:
    read = 0

    async def endless() -> AsyncIterator[Entry]:
        nonlocal read
        for number in range(10**9):
            read += 1
            yield Entry(key=f"{number:064x}", size=1, modified=OLD)

    found = compare(endless(), each([]), Seen(), now=NOW, grace_seconds=0)
    for _ in range(5):
        await anext(found)
    assert read == 5
    await found.aclose()  # type: ignore[attr-defined]
