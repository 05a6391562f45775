"""The node's own memory and disk in front of the stores: bounded, evicting, safe to lose."""

from derivproxy.hot_tier.files import Digests, LocalFile
from derivproxy.hot_tier.held import Held, Label
from derivproxy.hot_tier.memory import MemoryTier
from derivproxy.hot_tier.tier import HotTier

__all__ = ["Digests", "Held", "HotTier", "Label", "LocalFile", "MemoryTier"]
