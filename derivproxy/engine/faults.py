"""Faults between the engine and the workers: what is raised on one side is raised on the other, class and all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from derivproxy.domain.errors import Fault, Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STATUS = 599
"""The one status a fault travels with: what it means to people is decided where it arrives."""
MEDIA_TYPE = "application/json"


def fault_classes(root: type[Fault] = Fault) -> Iterator[type[Fault]]:
    """Every class of fault there is, *root* first."""
    yield root
    for below in root.__subclasses__():
        yield from fault_classes(below)


def pack(fault: Fault) -> bytes:
    """The document that tells of *fault*."""
    values = {key: value for key, value in vars(fault).items() if value is None or isinstance(value, str | int | float)}
    return json.dumps({"class": type(fault).__name__, "values": values}).encode("ascii")


class Unpacker:
    """Makes the faults again."""

    def __init__(self) -> None:
        self._classes: Mapping[str, type[Fault]] = {each.__name__: each for each in fault_classes()}

    def unpack(self, document: bytes) -> Fault:
        """The fault that *document* tells of; one that cannot be read is an engine that broke off: ``Overloaded``."""
        try:
            told = json.loads(document)
            values = told["values"]
            fault = self._classes[told["class"]](values["detail"])
        except (ValueError, KeyError, TypeError):
            return Overloaded("the engine broke off while answering; try again shortly")
        vars(fault).update(values)
        return fault
