"""Properties here are about texts, not about time: what takes long is the machine, and proof 6 measures by itself."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
