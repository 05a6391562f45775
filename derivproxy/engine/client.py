"""The engine as workers see it: the same methods as in its own process, over the Unix socket."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from derivproxy.delivery.answers import Answer
from derivproxy.domain.errors import Overloaded, StoreUnavailable, UnknownImage
from derivproxy.engine.faults import STATUS, Unpacker
from derivproxy.engine.wire import answer_values, pack_upload, unpack_image
from derivproxy.updates import Added

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from derivproxy.domain.images import Image
    from derivproxy.updates import Absences, Spooled
    from grammar import Derivative

WHOLE_BYTES = 1024 * 1024
"""Up to here an answer is read whole before it is given on."""


class EngineClient:
    """Reaches the engine at *socket*.

    *answer_seconds* is the longest wait for a queue and a derivation together. *absences* are remembered here too, so
    that a flood of made-up idents ends in this process.

    Every method raises what the engine raised; an engine that is not there, or goes away, is ``Overloaded``: it is
    started again at once, and trying again helps.
    """

    def __init__(
        self, socket: Path, *, absences: Absences, connections: int = 512, answer_seconds: float = 120.0
    ) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=32, keepalive_expiry=20.0)
        transport = httpx.AsyncHTTPTransport(uds=str(socket), limits=limits, trust_env=False)
        timeout = httpx.Timeout(answer_seconds, connect=2.0, pool=2.0)
        # Nothing of the surroundings applies to a socket of our own: no proxies, no netrc, no redirects.
        self._client = httpx.AsyncClient(
            transport=transport, timeout=timeout, base_url="http://engine", trust_env=False, follow_redirects=False
        )
        self._faults = Unpacker()
        self._absences = absences

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def run(self, name: Derivative) -> AsyncIterator[Answer]:
        """The derivative, made by the engine; good while the context is open. Leaving it tells the engine so."""
        request = self._client.build_request("POST", f"/run/{name}")
        response = await self._sent(request, stream=True)
        try:
            if response.status_code != httpx.codes.OK:
                raise self._faults.unpack(await _read(response))
            values = answer_values(response.headers)
            body = await _read(response) if values["size"] <= WHOLE_BYTES else _Stream(response)
            yield Answer(body=body, **values)
        finally:
            await response.aclose()

    async def add(self, spooled: Spooled, *, title: str = "", tags: Sequence[str] = (), path: str = "") -> Added:
        """Put an upload in, whose file this process keeps until the answer is there."""
        told = await self._asked("POST", "/images", pack_upload(spooled, title=title, tags=tags, path=path))
        return Added(unpack_image(told["image"]), bool(told["created"]))

    async def remove(self, ident: str) -> int:
        """Take the image away: the revision in which it is gone."""
        return int(await self._asked("DELETE", f"/images/{ident}"))

    async def purge(self, ident: str) -> int:
        """Delete every derivative of the image: how many."""
        return int(await self._asked("DELETE", f"/images/{ident}/derivatives"))

    async def recover(self, ident: str) -> Image:
        """The image, unknown a moment ago, that was found in the store. Raises ``UnknownImage``, ``Removed``."""
        if ident in self._absences:
            raise UnknownImage(f"no image {ident}; put it in first")
        try:
            return unpack_image(await self._asked("POST", f"/images/{ident}/recover"))
        except UnknownImage:
            self._absences.note(ident)
            raise

    async def purged(self, worker: str, number: int) -> tuple[int, list[str]]:
        """What was purged after *number*, once there is anything or a while has passed; asking says that was done.

        Raises ``BadRequest`` where the engine cannot tell any more.
        """
        told = await self._asked("GET", f"/purged/{worker}/{number}")
        return int(told["latest"]), list(told["idents"])

    async def alive(self) -> bool:
        """Whether the engine answers."""
        try:
            return bool((await self._asked("GET", "/alive"))["alive"])
        except Overloaded:
            return False

    async def _asked(self, method: str, path: str, document: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        response = await self._sent(self._client.build_request(method, path, json=document), stream=False)
        if response.status_code == STATUS:
            raise self._faults.unpack(response.content)
        if response.status_code != httpx.codes.OK:
            raise Overloaded(
                f"the engine answered {response.status_code} to {method} {path[:100]}; is it another version?"
            )
        return response.json()

    async def _sent(self, request: httpx.Request, *, stream: bool) -> httpx.Response:
        try:
            return await self._client.send(request, stream=stream)
        except httpx.PoolTimeout:
            raise Overloaded("every connection to the engine is in use; try again shortly") from None
        except httpx.ReadTimeout:
            raise Overloaded("the engine did not answer in time; try again shortly") from None
        except httpx.TransportError as error:
            raise Overloaded(f"the engine is not there ({error!r}); it may be starting") from error


class _Stream:
    """The bytes of an answer as they come from the engine."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_raw():
                yield chunk
        except httpx.TransportError as error:
            raise StoreUnavailable(f"the engine broke off while answering ({type(error).__name__})") from error


async def _read(response: httpx.Response) -> bytes:
    try:
        return await response.aread()
    except httpx.TransportError as error:
        raise Overloaded(f"the engine broke off while answering ({type(error).__name__}); try again shortly") from error
