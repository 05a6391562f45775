"""``.auto``: a request for whatever format the asker can take. It is not a name: nothing is stored under it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from grammar.choices import Format
from grammar.conditions import ALWAYS_LOSSLESS, ANIMATED, DEFAULT_QUALITY, LOSSLESS, OPAQUE, PLAIN, WHITE
from grammar.errors import BadName
from grammar.expression import pattern
from grammar.forgiving import Draft, settle
from grammar.names import Derivative, Suffix, check_ident
from grammar.parsing import fields, refuse
from grammar.strict import AUTO, IDENT_LENGTH, LONGEST_SPELLING

# Of all formats webp alone can say everything a request may say, but for its own default quality.
_SPEAKER = Format.WEBP
_AUTO = re.compile(pattern(AUTO))


@dataclass(frozen=True, slots=True)
class Auto:
    """A request of *ident* in a format still to be picked; ``str()`` is its one canonical spelling.

    ``suffix`` says all but the format and the quality, as a webp would; ``quality`` is the wanted one, or ``None``
    for each format's own default.
    """

    ident: str
    suffix: Suffix
    quality: int | None = None

    def __post_init__(self) -> None:
        check_ident(self.ident)
        if self.suffix.format is not _SPEAKER or self.suffix.quality is not None:
            raise ValueError(f"the suffix of a request is a {_SPEAKER} without a quality, not {self.suffix}")
        # Made only to hold the conditions, which the speaker's own default would break alone.
        default = self.quality == DEFAULT_QUALITY[_SPEAKER]
        replace(self.suffix, quality=1 if default else self.quality)

    def __str__(self) -> str:
        quality = "" if self.quality is None else f"-q{self.quality}"
        return f"{self.ident}-{str(self.suffix).removesuffix(f'.{_SPEAKER}')}{quality}.auto"

    def derivative(self, output: Format) -> Derivative | None:
        """What this asks for in the format *output*; ``None`` where that format cannot say it (see :func:`adapt`)."""
        suffix = adapt(self.suffix, output, self.quality)
        return None if suffix is None else Derivative(self.ident, suffix)


def adapt(suffix: Suffix, output: Format, quality: int | None = None) -> Suffix | None:
    """The same picture in the format *output*, or ``None`` where that format cannot be what is wanted.

    What says nothing in *output* vanishes: the first page of a still, white under an opaque format, a quality that is
    the default or that the format does not have. A format cannot be lossless, keep a profile or keep metadata where
    the grammar says so; a png is lossless, which need not be said. *quality* takes the place of the suffix's own where
    given.
    """
    if suffix.lossless and output not in LOSSLESS and output not in ALWAYS_LOSSLESS:
        return None
    if output in PLAIN and (suffix.profile is not None or suffix.keep is not None):
        return None
    wanted = suffix.quality if quality is None else quality
    default = DEFAULT_QUALITY.get(output)
    return replace(
        suffix,
        format=output,
        page=None if suffix.page == 1 and output not in ANIMATED else suffix.page,
        background=None if suffix.background == WHITE and output in OPAQUE else suffix.background,
        lossless=suffix.lossless and output in LOSSLESS,
        quality=None if default is None or wanted == default else wanted,
    )


def parse_auto(text: str) -> Auto:
    """The request that *text* is, in its one canonical spelling. Raises :class:`BadName` for everything else."""
    return read_auto(text) or refuse(text, AUTO)


def read_auto(text: str) -> Auto | None:
    """The request that *text* spells; ``None`` where it spells none. Raises :class:`BadName` for a broken condition."""
    if len(text) > LONGEST_SPELLING or (found := _AUTO.fullmatch(text)) is None:
        return None
    ident, *groups = found.groups()
    said = fields([*groups, f".{_SPEAKER}"])
    quality = said["quality"]
    if quality == DEFAULT_QUALITY[_SPEAKER]:
        said["quality"] = None
    try:
        return Auto(ident, replace(Suffix(**said), quality=None), quality)
    except BadName as error:
        raise error.inside(text, IDENT_LENGTH + 1) from None


def settle_auto(draft: Draft) -> Auto:
    """The request that *draft* means. Raises :class:`BadName` with the position in the text as it was written."""
    return Auto(draft.ident, replace(settle(draft, _SPEAKER), quality=None), draft.said.get("quality"))
