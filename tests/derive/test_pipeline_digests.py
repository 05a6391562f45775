"""The one place where pictures are compared by bytes: a change under the same name needs a new derivation version."""

from __future__ import annotations

import pytest

from derivproxy.domain.derivation import DERIVATION_VERSION
from tests.derive.digests import digests, key, read


def test_bytes_change_only_with_the_derivation_version() -> None:
    table = read()
    assert table, "tests/derive/digests.json is empty: write it with `python -m tests.derive.digests`"
    if key() not in table:
        pytest.skip(
            f"no digests for {key()}; known: {', '.join(table)}. Add them with `python -m tests.derive.digests`"
        )
    known = table[key()]
    assert known["derivation version"] == DERIVATION_VERSION, (
        "the derivation version was raised: write the new digests with `python -m tests.derive.digests`"
    )
    changed = [name for name, digest in digests().items() if known["digests"].get(name) != digest]  # type: ignore[attr-defined]
    assert not changed, (
        f"other bytes under the same name: {', '.join(changed)}. Raise DERIVATION_VERSION in "
        "derivproxy/domain/derivation.py, then run `python -m tests.derive.digests`"
    )
