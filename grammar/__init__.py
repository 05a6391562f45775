"""The names of images: one suffix grammar, read and written. Standard library only; useful on its own as a client.

>>> from grammar import Format, Suffix, parse_suffix
>>> str(Suffix(width=300, format=Format.WEBP))
'300x.webp'
>>> parse_suffix("300x.webp").width
300
"""

from __future__ import annotations

from grammar.auto import Auto, adapt, parse_auto
from grammar.choices import Anchor, Compass, Crop, Fit, Focus, Format, Keep, Profile, Smart, Tone
from grammar.conditions import DEFAULT_QUALITY, check
from grammar.door import Respelled, admit, canonical, canonical_request
from grammar.errors import BadName
from grammar.markup import picture, srcset, url
from grammar.names import Base, Derivative, Key, Name, Rung, Suffix
from grammar.negotiation import negotiate
from grammar.parsing import parse, parse_key, parse_suffix
from grammar.strict import LONGEST_NAME

__all__ = [
    "DEFAULT_QUALITY",
    "LONGEST_NAME",
    "Anchor",
    "Auto",
    "BadName",
    "Base",
    "Compass",
    "Crop",
    "Derivative",
    "Fit",
    "Focus",
    "Format",
    "Keep",
    "Key",
    "Name",
    "Profile",
    "Respelled",
    "Rung",
    "Smart",
    "Suffix",
    "Tone",
    "adapt",
    "admit",
    "canonical",
    "canonical_request",
    "check",
    "negotiate",
    "parse",
    "parse_auto",
    "parse_key",
    "parse_suffix",
    "picture",
    "srcset",
    "url",
]
