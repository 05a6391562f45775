"""The contract suite for stores, for the authors of providers. Needs pytest, anyio's plugin and hypothesis.

class TestMyStore(StoreContract):
    @pytest.fixture
    def factory(self): ...          # a callable that opens one container, empty for each test, each time it is called

TestMyStoreMachine = store_machine(place).TestCase      # see there
"""

from __future__ import annotations

import pytest

# Before the import: so that the suite's assertions say what they compared.
pytest.register_assert_rewrite("derivproxy.testing.store_contract", "derivproxy.testing.state_machine")

from derivproxy.testing.state_machine import store_machine  # noqa: E402
from derivproxy.testing.store_contract import StoreContract  # noqa: E402

__all__ = ["StoreContract", "store_machine"]
