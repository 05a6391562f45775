"""Who may ask for which name: the size policy, signatures, closed bases. Pure: the clock is an argument.

A name is free to everybody where its image is public, its suffix is listed (or sizes are open), and it is not one of
those that can tell where a photo was taken (bases, ``-meta``) while they are closed. Every other name needs the token
or a signature:

    ?s=SIGNATURE                    over ``name``
    ?e=UNIXSECONDS&s=SIGNATURE      over ``name?e=UNIXSECONDS``, good up to and including that second

The signature is the unpadded base64url of the first 16 bytes of HMAC-SHA-256. It has one spelling, compared as text.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from derivproxy.domain.errors import NotAllowed
from grammar import Base, Format, Keep, parse_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grammar import Name

_SIGNED_BYTES = 16
_EXPIRY = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


class Bases(StrEnum):
    """Whether bases, and derivatives that keep all metadata, are for everybody."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePolicy:
    """The suffixes that need no signature: all, none, or a list. *stems* are suffixes without format: ``320x.*``."""

    everything: bool = False
    suffixes: frozenset[str] = frozenset()
    stems: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, words: Iterable[str]) -> SizePolicy:
        """``open``, ``none`` or suffixes, of which ``320x.*`` stands for every format and ``.auto``.

        Raises ``ValueError`` naming the one that is wrong.
        """
        listed = list(words)
        if listed == ["open"]:
            return cls(everything=True)
        if listed == ["none"]:
            return cls()
        if not listed:
            raise ValueError("names no suffix; write open, none, or suffixes like 320x.*")
        suffixes: set[str] = set()
        stems: set[str] = set()
        for word in listed:
            if word in ("open", "none"):
                raise ValueError(f"has {word!r} among suffixes; it stands alone")
            stem, _, ending = word.rpartition(".")
            if ending in ("*", "auto"):
                _check_stem(word, stem)
            else:
                _check_suffix(word)
            if ending == "*":
                stems.add(stem)
            else:
                suffixes.add(word)
        return cls(suffixes=frozenset(suffixes), stems=frozenset(stems))

    def allows(self, suffix: str) -> bool:
        """Whether *suffix* (``320x.jpg``, ``320x.auto``) needs no signature."""
        return self.everything or suffix in self.suffixes or suffix.rpartition(".")[0] in self.stems

    def __str__(self) -> str:
        if self.everything:
            return "open"
        return ",".join(sorted([*self.suffixes, *(f"{stem}.*" for stem in self.stems)])) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a name needs. Of several *keys* the first signs, and all verify."""

    sizes: SizePolicy = field(default_factory=lambda: SizePolicy(everything=True))
    bases: Bases = Bases.CLOSED
    keys: tuple[bytes, ...] = field(default=(), repr=False)

    def authorise(self, name: Name, text: str, query: bytes, *, token_ok: bool, private: bool, now: float) -> bool:
        """Whether *name* is let through for this asker alone (``True``: not for shared caches) or for all (``False``).

        A signature without expiry on a size of a public image is for all who have the address: caches may keep it.

        *text* is the name as asked for, which differs from ``str(name)`` only by ``.auto``; *query* is the raw query
        string, of which only ``s`` and ``e`` are looked at, and only where something is needed. *token_ok* says that
        the request bore the right token, *private* that the image is, *now* is in Unix seconds. Raises ``NotAllowed``
        with the reason and the remedy.
        """
        if (reason := self._closed(name, text, private=private)) is None:
            return False
        if token_ok:
            return True
        given = _signature(text, query)
        if given is None:
            raise NotAllowed(f"{text}: {reason}; {self._remedy()}")
        signature, expires = given
        signed = text if expires is None else f"{text}?e={expires}"
        # Every key is tried, so that the time taken does not tell which one came near.
        fits = [hmac.compare_digest(_digest(signed, key), signature) for key in self.keys]
        if not any(fits):
            raise NotAllowed(f"{text}: {reason}, and s={_shown(signature)} is not its signature; {self._remedy()}")
        if expires is not None and now > int(expires):
            raise NotAllowed(f"{text}: its signature was good until e={expires} (Unix seconds); ask for a new one")
        return private or expires is not None or self._reveals(name)

    def _closed(self, name: Name, text: str, *, private: bool) -> str | None:
        """Why this name is not for everybody, or ``None``."""
        if private:
            return "this image is private"
        if self._reveals(name):
            closed = "bases are closed" if isinstance(name, Base) else "derivatives that keep all metadata are closed"
            return f"{closed}: they can tell where a photo was taken"
        if isinstance(name, Base):
            return None
        if not self.sizes.allows(text.partition("-")[2]):
            return "this suffix is not among the listed sizes"
        return None

    def _reveals(self, name: Name) -> bool:
        """Whether *name* gives what only those may have who may have bases."""
        return self.bases is Bases.CLOSED and (isinstance(name, Base) or name.suffix.keep is Keep.META)

    def _remedy(self) -> str:
        remedy = "send the token as Authorization: Bearer"
        return f"{remedy}, or sign the name (?s=)" if self.keys else remedy


def sign(text: str, key: bytes, expires: int | None = None) -> str:
    """The query string, without ``?``, that authorises the name *text*; with *expires* (Unix seconds) until then."""
    if expires is None:
        return f"s={_digest(text, key).decode()}"
    if not _EXPIRY.fullmatch(str(expires)):
        raise ValueError(f"expiry {expires} is no Unix time in seconds")
    return f"e={expires}&s={_digest(f'{text}?e={expires}', key).decode()}"


def _digest(text: str, key: bytes) -> bytes:
    digest = hmac.digest(key, text.encode(), "sha256")[:_SIGNED_BYTES]
    return base64.urlsafe_b64encode(digest).rstrip(b"=")


def _signature(text: str, query: bytes) -> tuple[bytes, str | None] | None:
    """The signature and expiry in *query*, undecoded: each has one spelling. ``NotAllowed`` for one given twice."""
    found: dict[bytes, bytes] = {}
    for part in query.split(b"&"):
        key, _, value = part.partition(b"=")
        if key not in (b"s", b"e"):
            continue
        if key in found:
            raise NotAllowed(f"{text}: {key.decode()}= is given twice in the query; give it once")
        found[key] = value
    if b"s" not in found:
        return None
    expires = found.get(b"e")
    if expires is None:
        return found[b"s"], None
    if not _EXPIRY.fullmatch(expires.decode("latin-1")):
        raise NotAllowed(f"{text}: e={_shown(expires)} is no Unix time in seconds; use the query as it was signed")
    return found[b"s"], expires.decode()


def _shown(value: bytes) -> str:
    return repr(value[:40].decode("latin-1"))


def _check_suffix(word: str) -> None:
    if word.startswith("-"):
        raise ValueError(f"has the suffix {word!r}; write it without its leading dash")
    try:
        parse_suffix(word)
    except ValueError as error:
        raise ValueError(f"has {word!r}, which is no suffix: {error}") from None


def _check_stem(word: str, stem: str) -> None:
    """A stem is good where some format makes a canonical suffix of it: ``lossless`` or a quality is not for all."""
    refusals: list[str] = []
    for ending in Format:
        try:
            _check_suffix(f"{stem}.{ending}")
        except ValueError as error:
            refusals.append(str(error))
        else:
            return
    raise ValueError(f"has {word!r}, which fits no format: {refusals[0]}")
