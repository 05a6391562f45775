"""What the read path is given by others, through its constructors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from derivproxy.delivery.answers import Answer
    from derivproxy.derive.results import Derived
    from derivproxy.domain.images import Facts
    from derivproxy.domain.status import Status
    from grammar.names import Derivative, Suffix


class Run(Protocol):
    """Makes a derivative that is nowhere kept: ``Runs.run`` in the engine, elsewhere a client over its socket."""

    def __call__(self, name: Derivative) -> AbstractAsyncContextManager[Answer]:
        """The answer, good for as long as the context is open; leaving it before says that nobody waits any more.

        Raises the ``Fault`` of the run on entering.
        """
        ...


class FactsOf(Protocol):
    """The metadata room, asked for one image."""

    async def __call__(self, ident: str) -> Facts:
        """The facts of the base. Raises ``UnknownImage``."""
        ...


class StatusOf(Protocol):
    """The metadata room, asked what an ident is at this instant."""

    async def __call__(self, ident: str) -> Status:
        """Live, private, removed, blocked or unknown."""
        ...


class Check(Protocol):
    """Refuses what can be refused by arithmetic, before anything is fetched."""

    def __call__(self, suffix: Suffix, facts: Facts) -> object:
        """Raises ``CropOutside``, ``NoSuchPage``, ``CannotEncode``, ``TooManyPixels``."""
        ...


class Deriver(Protocol):
    """The deriving processes."""

    async def derive(self, path: Path, facts: Facts, suffix: Suffix) -> Derived:
        """Make the derivative. Cancelling ends the work and leaves no file behind."""
        ...


class Counters(Protocol):
    """Where the runs are counted."""

    def derivation(self, format: str, outcome: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """One run that was started has ended: *outcome* is ``ok``, ``cancelled`` or a fault's code."""
        ...
