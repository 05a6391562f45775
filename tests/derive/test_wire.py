from __future__ import annotations

import errno

import pytest

from derivproxy.derive.wire import (
    INLINE_BYTES,
    LENGTH_BYTES,
    Garbled,
    Reply,
    pack_error,
    pack_reply,
    read_head,
    unpack_error,
)
from derivproxy.domain import errors
from derivproxy.domain.errors import BadName, Fault, TooSlow

FAULTS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Fault)]


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_comes_out_as_it_went_in(kind: type[Fault]) -> None:
    fault = unpack_error(pack_error(kind("what happened")))
    assert type(fault) is kind
    assert isinstance(fault, Fault)
    assert (fault.detail, fault.retry_after, str(fault)) == ("what happened", kind("").retry_after, "what happened")


def test_position_expectation_and_delay_cross_too() -> None:
    name = unpack_error(pack_error(BadName("no", position=7, expected="a side")))
    assert isinstance(name, BadName)
    assert (name.position, name.expected) == (7, "a side")
    slow = unpack_error(pack_error(TooSlow("slow", retry_after=9)))
    assert isinstance(slow, TooSlow)
    assert slow.retry_after == 9


def test_an_os_error_comes_out_as_its_own_kind() -> None:
    error = unpack_error(pack_error(FileNotFoundError(errno.ENOENT, "No such file", "/x")))
    assert isinstance(error, FileNotFoundError)
    assert error.filename == "/x"


def test_other_errors_are_no_fault_of_the_house() -> None:
    values = pack_error(ZeroDivisionError("one by nothing"))
    assert values == {"unexpected": "ZeroDivisionError: one by nothing"}
    assert unpack_error(values) is None


@pytest.mark.parametrize("name", ["Fault.__init__", "annotations", "TYPE_CHECKING", "ClassVar", "", None, 3])
def test_only_faults_can_be_named_as_faults(name: object) -> None:
    assert unpack_error({"fault": name, "detail": "x"}) is None


def test_a_reply_says_how_much_follows() -> None:
    packed = pack_reply(Reply({"a": 1}, b"body"))
    length = int.from_bytes(packed[:LENGTH_BYTES], "little")
    assert read_head(packed[LENGTH_BYTES : LENGTH_BYTES + length]) == ({"a": 1}, 4)
    assert packed[LENGTH_BYTES + length :] == b"body"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"[]",
        b"3",
        b"{}",
        b"[" * 60_000,
        b'{"body_bytes": -1}',
        b'{"body_bytes": "1"}',
        b'{"body_bytes": 1e9}',
        b'{"body_bytes": %d}' % (INLINE_BYTES + 1),
        b"\x80\x04\x95.",
    ],
)
def test_what_is_no_reply_is_garbled(head: bytes) -> None:
    with pytest.raises(Garbled):
        read_head(head)
