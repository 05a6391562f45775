"""What may be evicted is what can be made again."""

from __future__ import annotations

import pytest

from derivproxy.stores.evictable import is_evictable

IDENT = "0123456789abcdef" * 4


@pytest.mark.parametrize("rest", ["-x.jpg", "-300x.webp", "-300x200-cover-smart.webp", "~512"])
def test_derivatives_and_rungs_may(rest: str) -> None:
    assert is_evictable(IDENT + rest)


@pytest.mark.parametrize(
    "key",
    [
        IDENT,
        "format",
        "log/00000001/0000000000000001",
        f"{IDENT}-300.jpg",
        f"{IDENT}~",
        f"{IDENT}_x",
        f"a/{IDENT}-x.jpg",
    ],
)
def test_bases_and_what_is_no_name_may_not(key: str) -> None:
    assert not is_evictable(key)
