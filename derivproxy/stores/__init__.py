"""Bytes under keys: the ``Store`` protocol, its errors, and the providers that are installed."""

from __future__ import annotations

from derivproxy.stores.errors import BadKey, BadStore, ObjectExists, ObjectMissing, StoreError, WrongDigest
from derivproxy.stores.interface import (
    CHUNK_BYTES,
    Entry,
    Evicted,
    Evicting,
    ObjectStat,
    Opened,
    Promises,
    Store,
    Usage,
)
from derivproxy.stores.purge import delete_derivatives
from derivproxy.stores.registry import installed_providers, open_store

__all__ = [
    "CHUNK_BYTES",
    "BadKey",
    "BadStore",
    "Entry",
    "Evicted",
    "Evicting",
    "ObjectExists",
    "ObjectMissing",
    "ObjectStat",
    "Opened",
    "Promises",
    "Store",
    "StoreError",
    "Usage",
    "WrongDigest",
    "delete_derivatives",
    "installed_providers",
    "open_store",
]
