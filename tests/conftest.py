"""What every test has: asyncio as the one event loop, and properties without a clock."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# A busy machine makes any example slow once; what must be fast is measured by the benchmarks.
settings.register_profile("derivproxy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("derivproxy")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
