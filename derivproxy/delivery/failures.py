"""What failed a moment ago is not tried again at once, so that a hostile image is not decoded in a loop."""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from derivproxy.domain.errors import BaseDamaged, BaseMissing, DerivationFailed, Refused, TooSlow

if TYPE_CHECKING:
    from collections.abc import Callable

    from derivproxy.domain.errors import Fault

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Failure:
    fault: Fault
    until: float


class Failures:
    """Faults of runs, by name and by ident, for some seconds and in bounded number.

    A refusal or a dead process is remembered for its name (*name_seconds*). When *strikes* names of one ident were too
    slow or killed their process, all of the ident's names share the last of these faults (*ident_seconds*): not the
    first, or asking for one very large AVIF would take every size of a photo away. A base that is missing is looked
    for again after a second, a damaged one after *name_seconds*. What is nobody's fault (a full queue, a store that
    does not answer) is not remembered.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        name_seconds: float = 10.0,
        ident_seconds: float = 60.0,
        strikes: int = 3,
        remembered: int = _REMEMBERED,
    ) -> None:
        self._clock = clock
        self._name_seconds = name_seconds
        self._ident_seconds = ident_seconds
        self._strikes = strikes
        self._limit = remembered
        self._names: OrderedDict[str, _Failure] = OrderedDict()
        self._idents: OrderedDict[str, _Failure] = OrderedDict()
        self._struck: OrderedDict[str, dict[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._names) + len(self._idents) + len(self._struck)

    def check(self, ident: str, name: str) -> None:
        """Raise what is remembered of *name* or of its *ident*."""
        now = self._clock()
        for failures, key in ((self._names, name), (self._idents, ident)):
            failure = failures.get(key)
            if failure is None:
                continue
            if failure.until > now:
                # A copy: one exception raised by many would collect the traceback of each.
                raise copy.copy(failure.fault)
            del failures[key]

    def note(self, ident: str, name: str, fault: Fault) -> None:
        """Remember that the run of *name* ended in *fault*, if it is of a kind to be remembered."""
        now = self._clock()
        if isinstance(fault, BaseMissing | BaseDamaged):
            seconds = 1.0 if isinstance(fault, BaseMissing) else self._name_seconds
            self._keep(self._idents, ident, _Failure(fault, now + seconds))
        elif isinstance(fault, Refused | DerivationFailed):
            self._keep(self._names, name, _Failure(fault, now + self._name_seconds))
            if isinstance(fault, TooSlow | DerivationFailed):
                self._strike(ident, name, fault, now)

    def drop(self, ident: str) -> None:
        """Forget everything of *ident*."""
        self._idents.pop(ident, None)
        self._struck.pop(ident, None)
        for name in [name for name in self._names if name.startswith(ident)]:
            del self._names[name]

    def _strike(self, ident: str, name: str, fault: Fault, now: float) -> None:
        struck = {other: until for other, until in self._struck.pop(ident, {}).items() if until > now}
        struck[name] = now + self._ident_seconds
        if len(struck) < self._strikes:
            self._struck[ident] = struck
            if len(self._struck) > self._limit:
                self._struck.popitem(last=False)
        else:
            self._keep(self._idents, ident, _Failure(fault, now + self._ident_seconds))

    def _keep(self, failures: OrderedDict[str, _Failure], key: str, failure: _Failure) -> None:
        failures[key] = failure
        failures.move_to_end(key)
        if len(failures) > self._limit:
            failures.popitem(last=False)
