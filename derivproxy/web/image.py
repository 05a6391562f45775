"""``GET /{name}``: the read path as HTTP.

parse            canonical → on; forgivable → 308; ``.auto`` → the format that fits; else 404 with the position
status           live or private → on; removed 410; blocked its answer; unknown → perhaps rebuilt, else 404
policy           free, or let through by the token or a signature (then not for shared caches), or 403
If-None-Match    the tag follows from the name and the derivation version: 304 before any I/O
delivery         memory without waiting; else found or made, watched by the client's connection
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import grammar
from derivproxy.domain.errors import Removed, UnknownImage
from derivproxy.domain.status import State
from derivproxy.web import bodies, headers
from derivproxy.web.conditions import etag, matches_strongly, matches_weakly
from derivproxy.web.door import enter, location
from derivproxy.web.problems import Problem, ProblemRaised
from derivproxy.web.ranges import Slice, Unsatisfiable, select
from grammar import Auto, Base, Format, Respelled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from derivproxy.delivery.answers import Answer
    from derivproxy.domain.images import Facts
    from derivproxy.domain.policy import Policy
    from derivproxy.domain.status import Status
    from derivproxy.web.exchange import Exchange
    from derivproxy.web.headers import Caching
    from derivproxy.web.needs import Catalogue, Delivery, Recover
    from derivproxy.web.problems import RawHeaders
    from derivproxy.web.tokens import Token
    from grammar import Derivative

ALLOW = b"GET, HEAD, OPTIONS"
WRITTEN = (Format.JPG, Format.PNG, Format.WEBP, Format.AVIF, Format.GIF, Format.TIF)
"""What the bundled libvips writes."""
_READY = 4096
"""Names whose parse and headers are kept: about 8 MB at most, each a name of up to 218 bytes and its header lines."""


class Asked:
    """A name that was asked for, and what follows from it alone."""

    __slots__ = ("_kept", "_kept_for", "auto", "ident", "name", "tag", "text")

    def __init__(self, name: Base | Derivative, text: str, *, version: int) -> None:
        self.name = name
        self.text = text
        self.ident = name.ident
        self.auto = str(name) if text.endswith(".auto") else None
        self.tag = etag(self.auto or text, 0 if isinstance(name, Base) else version)
        self._kept: RawHeaders = []
        self._kept_for: tuple[str, int] | None = None

    def whole(self, answer: Answer, caching: Caching) -> RawHeaders:
        """The headers of the whole *answer* where it is for everybody, made once for the same bytes."""
        made_for = (answer.md5, answer.version)
        if self._kept_for != made_for:
            self._kept = _whole(self, answer, caching, private=False)
            self._kept_for = made_for
        return self._kept


class ImageRoute:
    """Answers for names.

    *version* is the derivation version of this code, *clock* gives Unix seconds. ``.auto`` picks from *formats*: those
    that this build writes.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        delivery: Delivery,
        recover: Recover,
        policy: Policy,
        token: Token,
        caching: Caching,
        version: int,
        public_url: str,
        clock: Callable[[], float],
        formats: Collection[Format] = WRITTEN,
    ) -> None:
        self._catalogue = catalogue
        self._delivery = delivery
        self._recover = recover
        self._policy = policy
        self._token = token
        self._caching = caching
        self._version = version
        self._public_url = public_url
        self._clock = clock
        self._formats = frozenset(formats)
        self._ready: OrderedDict[str, Asked] = OrderedDict()

    async def __call__(self, exchange: Exchange) -> None:
        """Answer *exchange*, whose path is no other route's. Raises ``Fault`` and ``ProblemRaised``."""
        if exchange.method not in ("GET", "HEAD"):
            await _other_method(exchange)
            return
        asked = self._ready.get(exchange.path)
        if asked is None:
            asked = await self._enter(exchange)
            if asked is None:
                return
        fields = exchange.headers
        status = self._catalogue.status(asked.ident)
        if status.state is State.UNKNOWN:
            await self._look(asked, exchange)
            status = self._catalogue.status(asked.ident)
        private = _is_private(asked, status)
        guarded = self._authorise(asked, exchange, private=private)
        if b"if-none-match" in fields and matches_weakly(fields[b"if-none-match"], asked.tag):
            await self._not_modified(exchange, asked, asked.tag, headers.VALIDATED, guarded=guarded)
            return
        answer = self._delivery.remembered(asked.auto or asked.text) if not isinstance(asked.name, Base) else None
        if answer is not None:
            await self._answer(exchange, asked, answer, guarded=guarded)
            return
        await exchange.while_connected(lambda: self._deliver(exchange, asked, guarded=guarded, private=private))

    async def _enter(self, exchange: Exchange) -> Asked | None:
        match enter(exchange.path[1:]):
            case Respelled(text):
                where = location(exchange, self._public_url, text).encode("ascii")
                caching = b"public, max-age=%d" % headers.MOVED_SECONDS
                lines = [(b"location", where), (b"cache-control", caching), (b"content-length", b"0"), *headers.OPEN]
                await exchange.answer(308, lines)
                return None
            case Auto() as auto:
                return await self._negotiate(exchange, auto)
            case name:
                asked = Asked(name, exchange.path[1:], version=self._version)
                self._ready[exchange.path] = asked
                if len(self._ready) > _READY:
                    self._ready.popitem(last=False)
                return asked

    async def _negotiate(self, exchange: Exchange, auto: Auto) -> Asked:
        field = exchange.headers.get(b"accept")
        accept = None if field is None else field.decode("latin-1")
        asked = self._picked(auto, accept, None)
        if self._catalogue.status(asked.ident).state is State.UNKNOWN:
            await self._look(asked, exchange)
        if self._catalogue.status(asked.ident).state in (State.LIVE, State.PRIVATE):
            asked = self._picked(auto, accept, (await self._catalogue.image(asked.ident)).facts)
        return asked

    def _picked(self, auto: Auto, accept: str | None, facts: Facts | None) -> Asked:
        alpha, animated = (facts.alpha, facts.animated) if facts is not None else (False, False)
        name = grammar.negotiate(auto, accept, alpha=alpha, animated=animated, formats=self._formats)
        return Asked(name, str(auto), version=self._version)

    async def _look(self, asked: Asked, exchange: Exchange) -> None:
        """Look for an unknown image in the store. Who may not ask for the name does not make the store look either."""
        self._authorise(asked, exchange, private=False)
        await self._recover(asked.ident)

    def _authorise(self, asked: Asked, exchange: Exchange, *, private: bool) -> bool:
        field = exchange.headers.get(b"authorization")
        token_ok = field is not None and self._token.borne(field)
        try:
            exchange.guarded = self._policy.authorise(
                asked.name, asked.text, exchange.query, token_ok=token_ok, private=private, now=self._clock()
            )
        except BaseException:
            exchange.guarded = True
            raise
        return exchange.guarded

    async def _deliver(self, exchange: Exchange, asked: Asked, *, guarded: bool, private: bool) -> None:
        name = asked.name
        ranged = b"range" in exchange.headers
        opened = (
            self._delivery.base(name.ident, ranged=ranged)
            if isinstance(name, Base)
            else self._delivery.derivative(name, ranged=ranged, private=private)
        )
        async with opened as answer:
            await self._answer(exchange, asked, answer, guarded=guarded)

    async def _answer(self, exchange: Exchange, asked: Asked, answer: Answer, *, guarded: bool) -> None:
        fields = exchange.headers
        tag = asked.tag if answer.version in (self._version, 0) else etag(str(asked.name), answer.version)
        exchange.cache = answer.found.value
        if b"if-match" in fields and not matches_strongly(fields[b"if-match"], tag):
            raise ProblemRaised(Problem.of("precondition-failed", f"If-Match does not name {tag.decode('ascii')}"))
        if b"if-none-match" in fields:
            field = fields[b"if-none-match"]
            if field.strip() == b"*" or matches_weakly(field, tag):
                await self._not_modified(exchange, asked, tag, headers.cache_status(answer)[1], guarded=guarded)
                return
        part: Slice | None = None
        if b"range" in fields and exchange.method == "GET" and fields.get(b"if-range", tag) == tag:
            part = _part(fields[b"range"], answer)
        made = _whole(asked, answer, self._caching, private=True) if guarded else asked.whole(answer, self._caching)
        lines = [*made, (b"etag", tag), headers.cache_status(answer)]
        if part is None:
            lines.append((b"content-length", b"%d" % answer.size))
            await _send(exchange, 200, lines, answer, Slice(0, answer.size))
        else:
            lines.append((b"content-length", b"%d" % (part.stop - part.start)))
            lines.append((b"content-range", b"bytes %d-%d/%d" % (part.start, part.stop - 1, answer.size)))
            await _send(exchange, 206, lines, answer, part)

    async def _not_modified(self, exchange: Exchange, asked: Asked, tag: bytes, came: bytes, *, guarded: bool) -> None:
        exchange.cache = exchange.cache or "etag"
        lines = headers.keeping(self._caching, asked.ident, private=guarded, auto_name=asked.auto)
        await exchange.answer(304, [*lines, (b"etag", tag), (b"cache-status", came)])


def _whole(asked: Asked, answer: Answer, caching: Caching, *, private: bool) -> RawHeaders:
    return [
        *headers.describing(answer, asked.ident),
        *headers.keeping(caching, asked.ident, private=private, auto_name=asked.auto),
    ]


def _is_private(asked: Asked, status: Status) -> bool:
    match status.state:
        case State.LIVE:
            return False
        case State.PRIVATE:
            return True
        case State.REMOVED:
            raise Removed(f"{asked.ident} was removed; the same bytes can be added again")
        case State.BLOCKED:
            raise ProblemRaised(Problem.of("blocked", f"{asked.ident} is blocked on this server", status=status.answer))
        case State.UNKNOWN:
            raise UnknownImage(f"no image {asked.ident}; it has to be added first (POST /api/images)")


def _part(field: bytes, answer: Answer) -> Slice | None:
    if not isinstance(answer.body, bytes | Path):
        # A stream is checked as a whole: what is skipped could not be told from what is wrong.
        return None
    try:
        return select(field, answer.size)
    except Unsatisfiable:
        lines = [(b"content-range", b"bytes */%d" % answer.size)]
        detail = f"{field[:100].decode('latin-1')} has none of the {answer.size} bytes"
        raise ProblemRaised(Problem.of("range-not-satisfiable", detail, headers=lines)) from None


async def _send(exchange: Exchange, status: int, lines: RawHeaders, answer: Answer, part: Slice) -> None:
    body = answer.body
    start, stop = part.start, part.stop
    whole = stop - start == answer.size
    if exchange.method == "HEAD":
        await exchange.answer(status, lines)
    elif isinstance(body, bytes):
        await exchange.answer(status, lines, body if whole else body[start:stop])
    elif isinstance(body, Path):
        if stop - start <= bodies.AT_ONCE_BYTES:
            await exchange.answer(status, lines, await bodies.read_slice(body, start, stop))
        else:
            async with bodies.primed(bodies.file_chunks(body, start, stop)) as chunks:
                await exchange.pour(status, lines, chunks)
    else:
        async with bodies.primed(bodies.counted(body, answer.size)) as chunks:
            await exchange.pour(status, lines, chunks)


async def _other_method(exchange: Exchange) -> None:
    if exchange.method == "OPTIONS":
        await exchange.answer(204, [(b"allow", ALLOW), *headers.PREFLIGHT])
        return
    detail = f"{exchange.method} on an image's name; names answer GET and HEAD, images are added at POST /api/images"
    raise ProblemRaised(Problem.of("method-not-allowed", detail, headers=[(b"allow", ALLOW)]))
