"""The ``Accept`` field of RFC 9110, section 12.5.1, as weights of media types."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 -- the token of RFC 9110
_RANGE = re.compile(f"({_TOKEN})/({_TOKEN})")
_WEIGHT = re.compile(r"0(?:\.([0-9]{0,3}))?|1(?:\.0{0,3})?")
# Matches from the first quote on, closed or not, so that no header makes the search start over.
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class Accept:
    """What an asker takes: weights in thousandths by media range, ``image/webp``, ``image/*`` or ``*/*``."""

    weights: dict[str, int]

    def listed(self, media_type: str) -> int:
        """The weight of *media_type* where it is listed by itself, else 0: who sends a wildcard need not know it."""
        return self.weights.get(media_type, 0)

    def weight(self, media_type: str) -> int:
        """The weight of *media_type* by the most specific range that holds it; 0 is not acceptable."""
        main = media_type.partition("/")[0]
        for media_range in (media_type, f"{main}/*", "*/*"):
            if media_range in self.weights:
                return self.weights[media_range]
        return 0


def read_accept(field: str | None) -> Accept:
    """Read the value of an ``Accept`` field. No field, or an empty one, takes everything.

    Total: a member that is not of the field's form is skipped. So is a range with parameters of its own, which asks
    for a particular kind of that type. Of a range that is there twice the higher weight counts.
    """
    weights: dict[str, int] = {}
    for member in _QUOTED.sub('""', field or "*/*").split(","):
        media_range, *parameters = (piece.strip(_BLANK) for piece in member.split(";"))
        found = _RANGE.fullmatch(media_range)
        weight = _weight([parameter for parameter in parameters if parameter])
        if found is None or weight is None or (found[1] == "*" and found[2] != "*"):
            continue
        key = media_range.lower()
        weights[key] = max(weight, weights.get(key, 0))
    return Accept(weights)


def _weight(parameters: list[str]) -> int | None:
    if not parameters:
        return 1000
    name, _, value = parameters[0].partition("=")
    found = _WEIGHT.fullmatch(value)
    # What follows the weight was an extension once and means nothing since RFC 9110.
    if name.lower() != "q" or found is None:
        return None
    return 1000 if value[0] == "1" else int((found[1] or "").ljust(3, "0"))
