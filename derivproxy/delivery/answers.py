"""What the read path answers with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable
    from pathlib import Path


class Found(StrEnum):
    """Where the bytes came from; the value is what Cache-Status and the metrics say."""

    MEMORY = "memory"
    DISK = "disk"
    STORE = "store"
    DERIVED = "derived"
    SHARED = "shared"
    """Derived by a run that another asker had begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The bytes of one name, checked or (an async iterable) being checked while they stream.

    A *body* that is a path is a local verified file, good for as long as the answer's context is open; one that is an
    async iterable gives the whole object once, in order, and raises ``StoreUnavailable`` or ``BaseDamaged`` where the
    bytes end early or are not those of *md5*: the connection must then be cut. *version* is the derivation version they
    were made with (0: a base). (A path may be good in this process alone: /proc/self/fd.)
    """

    body: bytes | Path | AsyncIterable[bytes]
    size: int
    md5: str
    media_type: str
    version: int
    found: Found
