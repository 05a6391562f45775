from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivproxy.hot_tier.held import Held
from derivproxy.hot_tier.memory import ENTRY_OVERHEAD_BYTES, Generations, MemoryTier

KIB = 1024


def held(size: int, mark: bytes = b"x") -> Held:
    return Held(body=mark * size, size=size, md5="0" * 32, media_type="image/webp", version=1)


def test_what_was_put_is_got() -> None:
    tier = MemoryTier(64 * KIB)
    kept = held(100)
    assert tier.get("a-1") is None
    assert tier.put("a", "a-1", kept, tier.begin())
    assert tier.get("a-1") is kept
    assert tier.bytes == 100 + ENTRY_OVERHEAD_BYTES


def test_the_least_recently_used_goes_first() -> None:
    tier = MemoryTier(8 * KIB, share=2)
    for number in range(4):
        tier.put("a", f"a-{number}", held(KIB), tier.begin())
    tier.get("a-0")
    tier.put("b", "b-0", held(KIB), tier.begin())
    assert [name for name in ("a-0", "a-1", "a-2", "a-3", "b-0") if tier.get(name)] == ["a-0", "a-2", "a-3", "b-0"]


def test_one_entry_takes_no_more_than_its_share() -> None:
    tier = MemoryTier(80 * KIB)
    assert tier.entry_bytes == 9 * KIB
    assert tier.put("a", "a-1", held(9 * KIB), tier.begin())
    assert not tier.put("a", "a-2", held(9 * KIB + 1), tier.begin())
    assert tier.get("a-2") is None


def test_replacing_counts_once() -> None:
    tier = MemoryTier(64 * KIB)
    tier.put("a", "a-1", held(100), tier.begin())
    tier.put("a", "a-1", held(50), tier.begin())
    assert (tier.bytes, len(tier)) == (50 + ENTRY_OVERHEAD_BYTES, 1)


def test_dropping_an_ident_forgets_all_its_versions_and_no_other() -> None:
    tier = MemoryTier(64 * KIB)
    for name in ("a-1", "a-2", "b-1"):
        tier.put(name[0], name, held(10), tier.begin())
    assert tier.drop("a") == 2
    assert [tier.get(name) is None for name in ("a-1", "a-2", "b-1")] == [True, True, False]
    assert tier.bytes == 10 + ENTRY_OVERHEAD_BYTES
    assert tier.drop("a") == 0


def test_what_was_begun_before_a_drop_does_not_come_back() -> None:
    tier = MemoryTier(64 * KIB)
    token = tier.begin()
    tier.drop("a")
    assert not tier.put("a", "a-1", held(10), token)
    assert tier.get("a-1") is None
    assert tier.put("b", "b-1", held(10), token), "another ident is not concerned"
    assert tier.put("a", "a-1", held(10), tier.begin())


def test_a_tier_of_no_bytes_keeps_nothing() -> None:
    tier = MemoryTier(0)
    assert not tier.put("a", "a-1", held(0), tier.begin())
    assert (tier.bytes, len(tier)) == (0, 0)


@pytest.mark.parametrize(("budget", "share"), [(-1, 8), (10, 0)])
def test_budgets_that_mean_nothing_are_refused(budget: int, share: int) -> None:
    with pytest.raises(ValueError, match="budget_bytes="):
        MemoryTier(budget, share=share)


def test_drops_beyond_those_remembered_still_hold() -> None:
    generations = Generations(remembered=3)
    before = generations.begin()
    generations.drop("a")
    between = generations.begin()
    for ident in ("b", "c", "d"):
        generations.drop(ident)
    assert not generations.stands("a", before), "forgotten by name, and dropped all the same"
    assert generations.stands("a", between), "and what came after is not taken with it"
    assert not generations.stands("b", between)
    assert generations.stands("b", generations.begin())


IDENTS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 3)),
        st.tuples(st.just("put"), IDENTS, st.integers(0, 3), st.integers(0, 3000), st.integers(0, 3)),
        st.tuples(st.just("get"), IDENTS, st.integers(0, 3)),
        st.tuples(st.just("drop"), IDENTS),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_the_tier_does_what_a_plain_model_does(steps: list[tuple[object, ...]]) -> None:
    budget = 10 * KIB
    tier = MemoryTier(budget, share=4)
    model: OrderedDict[str, Held] = OrderedDict()
    tokens = dict.fromkeys(range(4), tier.begin())
    begun = dict.fromkeys(range(4), 0)
    dropped: dict[str, int] = {}
    for now, step in enumerate(steps, start=1):
        match step:
            case "begin", int(slot):
                tokens[slot], begun[slot] = tier.begin(), now
            case "put", str(ident), int(number), int(size), int(slot):
                name, value = f"{ident}-{number}", held(size)
                fits = size + ENTRY_OVERHEAD_BYTES <= budget // 4 and dropped.get(ident, -1) < begun[slot]
                assert tier.put(ident, name, value, tokens[slot]) is fits
                if fits:
                    model.pop(name, None)
                    model[name] = value
                    while sum(one.size + ENTRY_OVERHEAD_BYTES for one in model.values()) > budget:
                        model.popitem(last=False)
            case "get", str(ident), int(number):
                name = f"{ident}-{number}"
                assert tier.get(name) is model.get(name)
                if name in model:
                    model.move_to_end(name)
            case "drop", str(ident):
                gone = [name for name in model if name.startswith(ident)]
                assert tier.drop(ident) == len(gone)
                for name in gone:
                    del model[name]
                dropped[ident] = now
        assert tier.bytes == sum(one.size + ENTRY_OVERHEAD_BYTES for one in model.values()) <= budget
        assert len(tier) == len(model)
