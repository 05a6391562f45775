"""The service behind a real Hypercorn, spoken to over raw sockets."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from derivproxy.delivery.answers import Answer
from derivproxy.domain.errors import BaseDamaged, Fault
from derivproxy.web import api, exchange
from tests.web.service import TOKEN, Service, connected, get, say, served, status_of
from tests.web.stand_ins import answer, make_image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

IMAGE = make_image(b"\xff\xd8 a photo")
IDENT = IMAGE.ident
NAME = f"{IDENT}-300x.jpg"
DATA = bytes(range(256)) * 4
AUTHORISED = b"authorization: Bearer " + TOKEN.encode()


def service(**values: object) -> Service:
    made = Service(**values)  # type: ignore[arg-type]
    made.catalogue.put(IMAGE)
    made.delivery.memory[NAME] = answer(DATA)
    return made


async def test_every_form_of_the_target_reaches_the_image() -> None:
    name = NAME.encode()
    async with served(service().app) as address:
        for target in (b"/" + name, b"http://images.test/" + name, b"HTTPS://other:8080/" + name + b"?x=1"):
            said = await say(address, get(target))
            assert status_of(said) == 200, target
            assert said.endswith(DATA)
        moved = await say(address, get(b"http://images.test/" + name.upper()))
        assert b"\r\nlocation: /" + name + b"\r\n" in moved
        assert status_of(await say(address, get(b"http://images.test/healthz"))) == 200
        assert status_of(await say(address, get(b"http://images.test"))) == 200
        assert status_of(await say(address, get(b"*", method=b"OPTIONS"))) == 204
        assert status_of(await say(address, get(b"nonsense"))) == 400


async def test_names_are_read_before_anything_is_decoded() -> None:
    it = service()
    escaped = NAME.replace("-300x", "%2D300x").encode()
    async with served(it.app) as address:
        for target in (
            b"/" + escaped,
            b"/" + NAME.encode() + b"%00",
            b"/%2e%2e/" + NAME.encode(),
            b"//" + NAME.encode(),
        ):
            said = await say(address, get(target))
            assert status_of(said) == 404, target
            assert b'"code": "bad-name"' in said
    assert it.delivery.asked == []


async def test_head_sends_the_same_headers_and_not_one_byte_more() -> None:
    async with served(service().app) as address:
        whole = await say(address, get(b"/" + NAME.encode()))
        head = await say(address, get(b"/" + NAME.encode(), method=b"HEAD"))
        wrong = await say(address, get(b"/nonsense", method=b"HEAD"))
    without_date = re.compile(rb"date: [^\r]*\r\n")
    assert without_date.sub(b"", head) == without_date.sub(b"", whole.removesuffix(DATA))
    assert (status_of(wrong), wrong.endswith(b"\r\n\r\n")) == (404, True)


async def test_an_error_in_the_middle_cuts_the_connection() -> None:
    it = service()

    async def damaged() -> AsyncIterator[bytes]:
        yield DATA
        raise BaseDamaged("the bytes are not those of the name")

    async def short() -> AsyncIterator[bytes]:
        yield DATA

    it.delivery.memory.clear()
    async with served(it.app) as address:
        for body in (damaged(), short()):
            it.delivery.cold[NAME] = answer(body, size=len(DATA) * 3)
            said = await say(address, get(b"/" + NAME.encode()))
            assert status_of(said) == 200
            assert b"content-length: %d" % (len(DATA) * 3) in said
            assert said.endswith(DATA)
            assert len(said.partition(b"\r\n\r\n")[2]) == len(DATA)
    assert it.delivery.open_answers == 0


async def test_what_fails_before_the_first_byte_is_an_answer_of_its_own() -> None:
    it = service()

    async def nothing() -> AsyncIterator[bytes]:
        raise BaseDamaged("the bytes are not those of the name")
        yield b""

    it.delivery.memory.clear()
    it.delivery.cold[NAME] = answer(nothing(), size=5)
    async with served(it.app) as address:
        said = await say(address, get(b"/" + NAME.encode()))
    assert status_of(said) == 503
    assert b"base-damaged" in said


async def test_the_first_bytes_of_a_stream_are_sent_at_once() -> None:
    it = service()
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await go_on.wait()
        yield b"last!"

    it.delivery.memory.clear()
    it.delivery.cold[NAME] = answer(slow(), size=10)
    async with served(it.app) as address, connected(address) as (reader, writer):
        writer.write(get(b"/" + NAME.encode()))
        await asyncio.wait_for(reader.readuntil(b"first"), 5)
        go_on.set()
        assert await asyncio.wait_for(reader.read(), 5) == b"last!"


async def test_a_client_that_leaves_stops_waiting_for_its_derivation() -> None:
    it = service()
    it.delivery.hang = True
    it.delivery.memory.clear()
    async with served(it.app) as address:
        async with connected(address) as (_, writer):
            writer.write(get(b"/" + NAME.encode()))
            await asyncio.wait_for(it.delivery.waiting.wait(), 5)
        await asyncio.wait_for(it.delivery.cancelled.wait(), 5)
    assert it.counters.counted == [("name", 499, "")]


async def test_a_client_that_leaves_in_the_middle_stops_the_stream() -> None:
    it = service()
    sent = 0
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        try:
            while True:
                sent += 1
                yield b"x" * 1000
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    it.delivery.memory.clear()
    it.delivery.cold[NAME] = answer(endless(), size=10**12)
    async with served(it.app) as address:
        async with connected(address) as (reader, writer):
            writer.write(get(b"/" + NAME.encode()))
            await asyncio.wait_for(reader.readuntil(b"xxxx"), 5)
        for _ in range(500):
            if it.delivery.open_answers == 0:
                break
            await asyncio.sleep(0.01)
    assert it.delivery.open_answers == 0


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (b"/api/images", [], 401),
        (b"/api/images", [AUTHORISED], 413),
        (b"/api/nothing", [AUTHORISED], 404),
        (b"/" + NAME.encode(), [], 405),
    ],
)
async def test_an_upload_that_is_refused_is_answered_before_its_body_is_read(
    target: bytes, headers: list[bytes], status: int
) -> None:
    it = service(file_bytes=1000)
    async with served(it.app) as address, connected(address) as (reader, writer):
        writer.write(
            get(target, *headers, b"content-length: 2000000000", method=b"POST").replace(b"connection: close\r\n", b"")
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert status_of(head) == status
        assert b"connection: close" in head.lower()
        length = int(re.search(rb"content-length: ([0-9]+)", head)[1])  # type: ignore[index]
        assert len(await asyncio.wait_for(reader.readexactly(length), 5)) == length
    assert it.updates.received == 0


async def test_who_goes_on_sending_after_the_answer_is_cut_off_and_leaves_nothing_behind() -> None:
    it = service(file_bytes=1000)
    async with served(it.app) as address:
        await say(address, get(b"/healthz"))
        before = len(asyncio.all_tasks())
        for method, target in ((b"POST", b"/api/images"), (b"GET", b"/" + NAME.encode())):
            async with connected(address) as (_, writer):
                writer.write(get(target, b"content-length: 2000000000", method=method))
                sent = 0
                try:
                    async with asyncio.timeout(8):
                        while True:
                            writer.write(b"x" * 65536)
                            await writer.drain()
                            sent += 65536
                except ConnectionError:
                    pass
            assert sent < 100_000_000
        for _ in range(300):
            if len(asyncio.all_tasks()) <= before:
                break
            await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) <= before
    assert ("add", 401, "") in it.counters.counted
    assert ("name", 200, "memory") in it.counters.counted


@pytest.mark.parametrize("length", [b"content-length: 100", b"transfer-encoding: chunked"])
async def test_an_upload_that_goes_silent_is_ended_and_a_slow_one_is_not(
    length: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "STALL_SECONDS", 0.3)
    monkeypatch.setattr(exchange, "LINGER_SECONDS", 0.1)
    it = service()
    async with served(it.app) as address, connected(address) as (reader, writer):
        writer.write(get(b"/api/images", AUTHORISED, length, method=b"POST"))
        for _ in range(5):  # longer in all than silence may last
            writer.write(b"1" if length.startswith(b"content") else b"1\r\n1\r\n")
            await asyncio.sleep(0.1)
        assert it.counters.counted == []
        said = await asyncio.wait_for(reader.read(), 5)
    assert status_of(said) == 408
    assert b'"code": "upload-stalled"' in said
    assert it.updates.received == 0
    assert list(it.spool_folder.iterdir()) == []


async def test_an_upload_that_waits_to_be_asked_is_asked() -> None:
    photo = b"\xff\xd8 waits"
    async with served(service().app) as address, connected(address) as (reader, writer):
        lines = [AUTHORISED, b"expect: 100-continue", b"content-length: %d" % len(photo)]
        writer.write(get(b"/api/images", *lines, method=b"POST"))
        assert status_of(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)) == 100
        writer.write(photo)
        said = await asyncio.wait_for(reader.read(), 5)
    assert status_of(said) == 201


async def test_one_connection_carries_many_requests_of_all_kinds() -> None:
    it = service()
    photo = b"\xff\xd8 kept alive"
    requests = [
        (get(b"/" + NAME.encode()), 200),
        (get(b"/nonsense"), 404),
        (get(b"/" + NAME.encode(), method=b"HEAD"), 200),
        (get(b"/api/images", AUTHORISED, b"content-length: %d" % len(photo), method=b"POST") + photo, 201),
        (get(b"/" + NAME.encode(), b"content-length: 3") + b"abc", 200),
    ]
    async with served(it.app) as address, connected(address) as (reader, writer):
        for request, status in requests:
            writer.write(request.replace(b"connection: close\r\n", b""))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert status_of(head) == status
            if not request.startswith(b"HEAD"):
                await reader.readexactly(int(re.search(rb"content-length: ([0-9]+)", head)[1]))  # type: ignore[index]


junk = st.one_of(
    st.binary(min_size=1, max_size=80).map(lambda data: re.sub(rb"[\x00-\x20\x7f-\xff]", b"~", data)),
    st.text("0123456789abcdefxX-.@_%~/jpgwebauto?", max_size=90).map(str.encode),
    st.builds(
        lambda at, what: NAME.encode()[:at] + what + NAME.encode()[at:],
        st.integers(0, len(NAME)),
        st.sampled_from([b"%00", b"%2F", b"/", b"-", b".", b"0", b"@2x", b"~", b";", b"\\", b"%", b"X", b"..", b"?"]),
    ),
    st.builds(lambda at: NAME.encode()[:at] + NAME.encode()[at + 1 :], st.integers(0, len(NAME) - 1)),
)


class Anything(dict[str, Answer | Fault]):
    """Has a derivative of every name."""

    def __missing__(self, name: str) -> Answer:
        return answer(name.encode())


async def test_no_text_at_the_door_breaks_the_server_or_derives_under_a_second_name() -> None:
    it = service()
    it.delivery.cold = Anything()
    texts: list[bytes] = []

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(junk)
    def collect(text: bytes) -> None:
        texts.append(text)

    collect()
    async with served(it.app) as address:
        for text in texts:
            said = await say(address, get(b"/" + text))
            assert status_of(said) in {200, 308, 400, 403, 404}, text
            if status_of(said) == 308:
                location = re.search(rb"\r\nlocation: ([^\r]+)\r\n", said)
                assert location is not None
                assert it.delivery.asked == []
                assert status_of(await say(address, get(location[1]))) in {200, 403, 404}, text
                it.delivery.asked.clear()
                continue
            asked = text.split(b"?")[0].decode()
            if not asked.endswith(".auto"):
                assert set(it.delivery.asked) <= {asked}, text
            it.delivery.asked.clear()


async def test_who_sends_everything_before_reading_still_reads_the_answer() -> None:
    it = service(file_bytes=1000)
    async with served(it.app) as address:
        for _ in range(5):
            async with connected(address) as (reader, writer):
                writer.write(get(b"/api/images", b"content-length: 6000000", method=b"POST"))
                for _ in range(60):
                    writer.write(b"x" * 100_000)
                    await writer.drain()
                said = await asyncio.wait_for(reader.read(), 5)
                assert status_of(said) == 401
                assert b'"code": "unauthorised"' in said
