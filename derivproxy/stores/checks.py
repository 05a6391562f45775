"""What every store accepts, checked in one place so that all providers refuse the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from derivproxy.stores.errors import BadKey, BadStore

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_BYTES = 512
SEGMENT_BYTES = 240  # leaves room for a provider's own marks within the 255 bytes of a file name
METADATA_BYTES = 2000  # Swift fails beyond about 3 kB on ext4, and takes the device out of service for it

_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,239}")
_FAN_OUT = re.compile(r"[0-9a-f]{2}")
_METADATA_KEY = re.compile(r"[a-z0-9-]{1,64}")
_VALUE = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_segment(text: str) -> bool:
    """Whether *text* can stand between two slashes of a key."""
    return _SEGMENT.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Whether *text* is a key that a store can hold."""
    if len(text) > KEY_BYTES:
        return False
    if _FAN_OUT.fullmatch(text.partition("/")[0]):
        return False
    return all(is_segment(segment) for segment in text.split("/"))


def check_key(key: str) -> None:
    """Raise ``BadKey`` for what is no key."""
    if not is_key(key):
        shown = key if len(key) <= KEY_BYTES else key[:80] + "…"
        raise BadKey(
            f"{shown!r} is no key: it takes at most {KEY_BYTES} of A-Z a-z 0-9 . _ ~ - in segments of 1 to "
            f"{SEGMENT_BYTES} that do not begin with a dot, the first not just two hex digits"
        )


def check_container(container: str) -> None:
    """Raise ``BadStore`` for what cannot name a container."""
    if not _CONTAINER.fullmatch(container):
        raise BadStore(f"{container!r} cannot name a container: use letters, digits, . _ - and begin with no dot")


def check_description(content_type: str, metadata: Mapping[str, str] | None, expires_in: float | None) -> None:
    """Raise ``ValueError`` naming what no store keeps with an object."""
    if not _VALUE.fullmatch(content_type):
        raise ValueError(f"content type {content_type!r}: it takes 1 to 256 printable ASCII characters")
    check_expires_in(expires_in)
    total = 0
    for key, value in (metadata or {}).items():
        if not _METADATA_KEY.fullmatch(key):
            raise ValueError(f"metadata key {key!r}: it takes 1 to 64 of a-z 0-9 -")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"metadata {key!r} is {value!r}: it takes 1 to 256 printable ASCII, no space at its ends")
        total += len(key) + len(value)
    if total > METADATA_BYTES:
        raise ValueError(f"{total} bytes of metadata: at most {METADATA_BYTES} are kept; shorten or leave out some")


def check_expires_in(expires_in: float | None) -> None:
    """Raise ``ValueError`` for an expiry that lies not ahead."""
    if expires_in is not None and not 0 < expires_in < float("inf"):
        raise ValueError(f"expires_in={expires_in!r}: it takes a number of seconds above 0, or None")


def check_range(start: int, stop: int | None) -> None:
    """Raise ``ValueError`` for a negative or backward range."""
    if start < 0 or (stop is not None and stop < start):
        raise ValueError(f"bytes {start} to {stop}: a range begins at 0 or later and does not go backward")
