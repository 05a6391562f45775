from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.domain import errors
from derivproxy.domain.errors import BadName, Fault, Overloaded
from derivproxy.engine.faults import Unpacker, fault_classes, pack

CLASSES = [each for each in fault_classes() if each.__module__ == errors.__name__]


@given(st.sampled_from(CLASSES), st.text(), st.none() | st.integers(0, 1000))
def test_every_fault_survives_the_trip(kind: type[Fault], detail: str, retry_after: int | None) -> None:
    fault = kind(detail) if kind is BadName else kind(detail, retry_after=retry_after)
    arrived = Unpacker().unpack(pack(fault))
    assert type(arrived) is kind
    assert (arrived.detail, arrived.retry_after, arrived.code) == (fault.detail, fault.retry_after, fault.code)
    assert str(arrived) == str(fault)


@given(st.text(), st.integers(0, 300), st.text())
def test_a_bad_name_keeps_its_place(detail: str, position: int, expected: str) -> None:
    arrived = Unpacker().unpack(pack(BadName(detail, position=position, expected=expected)))
    assert isinstance(arrived, BadName)
    assert (arrived.position, arrived.expected) == (position, expected)


@pytest.mark.parametrize(
    "document", [b"", b"{}", b"[]", b"null", b'{"class": "int", "values": {"detail": "x"}}', b"\xff"]
)
def test_what_is_no_fault_is_an_engine_that_broke_off(document: bytes) -> None:
    assert type(Unpacker().unpack(document)) is Overloaded
