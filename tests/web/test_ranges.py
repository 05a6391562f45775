from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.web.ranges import Slice, Unsatisfiable, select

sizes = st.integers(0, 50)


@given(sizes, st.integers(0, 60), st.none() | st.integers(0, 60))
def test_a_range_selects_the_bytes_between(size: int, first: int, last: int | None) -> None:
    field = b"bytes=%d-%s" % (first, b"" if last is None else b"%d" % last)
    wanted = [at for at in range(size) if at >= first and (last is None or at <= last)]
    if last is not None and last < first:
        assert select(field, size) is None
    elif not wanted:
        with pytest.raises(Unsatisfiable):
            select(field, size)
    else:
        assert select(field, size) == Slice(wanted[0], wanted[-1] + 1)


@given(sizes, st.integers(0, 60))
def test_a_suffix_selects_the_last_bytes(size: int, count: int) -> None:
    wanted = list(range(size))[-count:] if count else []
    if not wanted:
        with pytest.raises(Unsatisfiable):
            select(b"bytes=-%d" % count, size)
    else:
        assert select(b"bytes=-%d" % count, size) == Slice(wanted[0], size)


@pytest.mark.parametrize(
    "field",
    [b"", b"bytes", b"bytes=", b"bytes=-", b"bytes=a-b", b"items=0-1", b"bytes=0-1,3-4", b"bytes=0-1\n", b"bytes=--1",
     b"bytes=" + b"9" * 5000 + b"-", b"bytes=\xd9\xa1-"],
)  # fmt: skip
def test_what_is_not_one_range_of_bytes_means_the_whole(field: bytes) -> None:
    assert select(field, 10) is None


@given(st.binary(max_size=40), sizes)
def test_whatever_is_selected_lies_inside(field: bytes, size: int) -> None:
    try:
        part = select(b"bytes=" + field, size)
    except Unsatisfiable:
        return
    assert part is None or 0 <= part.start < part.stop <= size
