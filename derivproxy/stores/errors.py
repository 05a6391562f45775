"""What a store can say besides an answer.

domain.Fault
├── domain.StoreUnavailable    not reached, not in time, not permitted
└── domain.DiskFull            no room
StoreError
├── ObjectMissing              nothing under this key
├── ObjectExists               ``put(create=True)`` and something is there
├── WrongDigest                the bytes are not those announced; nothing was kept
├── BadKey                     a key no store can hold
└── BadStore                   a store that cannot be opened as it is configured
"""

from __future__ import annotations


class StoreError(Exception):
    """A store's answer that is not the thing asked for."""


class ObjectMissing(StoreError):
    """Nothing is under this key."""


class ObjectExists(StoreError):
    """Something is under this key already."""


class WrongDigest(StoreError):
    """The bytes are not those that were announced; nothing was kept."""


class BadKey(StoreError, ValueError):
    """No store can hold this key."""


class BadStore(StoreError, ValueError):
    """No store can be opened like this: its address, its provider or what lies there is wrong."""
