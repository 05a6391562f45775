"""The reader at the door: what people write, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass

from grammar.auto import Auto, read_auto, settle_auto
from grammar.choices import Format
from grammar.errors import BadName
from grammar.forgiving import Draft, read_draft, settle
from grammar.names import Base, Derivative, Name
from grammar.parsing import read_name


@dataclass(frozen=True, slots=True)
class Respelled:
    """A text that is not canonical but means one name or request: *text* is how that is written."""

    text: str


def canonical(text: str) -> str:
    """The one name that *text* means, for a permanent redirect. A canonical name is returned as it is.

    Forgives capitals, ``.jpeg`` and ``.tiff``, a missing ``-x``, options out of order, spelled defaults, leading zeros,
    ``0`` for an open side and ``@2x``. Raises :class:`BadName` for everything else, an ``.auto`` request among it;
    :func:`canonical_request` takes those too.
    """
    return str(_read_forgiving(text, auto=False))


def canonical_request(text: str) -> str:
    """As :func:`canonical`, and the one spelling of an ``.auto`` request. Raises :class:`BadName`."""
    return str(_read_forgiving(text, auto=True))


def admit(text: str) -> Name | Auto | Respelled:
    """Read *text* as the door of a server does, in one call.

    A canonical name or a canonical ``.auto`` request comes back as its value; what is merely forgiven as
    :class:`Respelled`, never as a value, so that it is redirected and not served. Raises :class:`BadName` for what
    cannot be forgiven; its position is in *text*.
    """
    try:
        # By their last letter: the two grammars share no text.
        value = read_auto(text) if text.endswith("o") else read_name(text)
    except BadName:
        value = None  # a broken condition may yet be a spelled default
    return value or Respelled(str(_read_forgiving(text, auto=True)))


def _read_forgiving(text: str, *, auto: bool) -> Name | Auto:
    draft = read_draft(text, auto=auto)
    if not draft.format:
        return Base(draft.ident)
    return settle_auto(draft) if draft.format == "auto" else _derivative(draft)


def _derivative(draft: Draft) -> Derivative:
    return Derivative(draft.ident, settle(draft, Format(draft.format)))
