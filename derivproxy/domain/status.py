"""What an ident is to this node at this instant."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The five things an ident can be."""

    UNKNOWN = "unknown"
    LIVE = "live"
    PRIVATE = "private"
    REMOVED = "removed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an ident; *answer* is the HTTP status a blocked one gives (403, 404, 410 or 451), else 0."""

    state: State
    answer: int = 0
