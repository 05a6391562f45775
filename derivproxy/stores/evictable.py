"""What an eviction may take: the names of what can be made again."""

from __future__ import annotations

from grammar import BadName, Derivative, Rung, parse_key


def is_evictable(key: str) -> bool:
    """Whether *key* is the name of a derivative or a rung; a base never is, nor what is no name."""
    try:
        return isinstance(parse_key(key), Derivative | Rung)
    except BadName:
        return False
