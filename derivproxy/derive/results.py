"""What the deriving room hands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """An encoded derivative. A *body* that is a path is a file in the spool which the receiver owns and removes."""

    body: bytes | Path
    size: int
    md5: str
    media_type: str
    width: int
    height: int
    pages: int = 1
