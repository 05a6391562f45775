"""The first tier: derivatives in this process' memory, bounded by bytes, least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from derivproxy.hot_tier.held import Held

ENTRY_OVERHEAD_BYTES = 1024
"""What an entry costs beside its bytes: name, values and the places it has in the dictionaries."""

_DROPS = 4096


class Generations:
    """Tells what was begun before an ident was dropped from what was begun after.

    The drops of the last few thousand idents are told apart; whatever was begun before the oldest of them counts as
    dropped with it, so that the memory is bounded and nothing dropped can come back.
    """

    def __init__(self, remembered: int = _DROPS) -> None:
        self._limit = remembered
        self._now = 0
        self._forgotten = 0
        self._drops: OrderedDict[str, int] = OrderedDict()

    def begin(self) -> int:
        """A token for what begins now."""
        return self._now

    def drop(self, ident: str) -> None:
        """From here on nothing of *ident* stands that has begun already."""
        self._now += 1
        self._drops[ident] = self._now
        self._drops.move_to_end(ident)
        while len(self._drops) > self._limit:
            self._forgotten = self._drops.popitem(last=False)[1]

    def stands(self, ident: str, token: int) -> bool:
        """Whether *ident* was not dropped since *token*."""
        return token >= self._forgotten and token >= self._drops.get(ident, 0)


class MemoryTier:
    """Derivatives by name. Each costs its bytes and :data:`ENTRY_OVERHEAD_BYTES`, all together no more than the budget.

    One entry may take *share* of the budget at most (an eighth), so that one large picture does not empty the tier.
    """

    def __init__(self, budget_bytes: int, *, share: int = 8) -> None:
        if budget_bytes < 0 or share < 1:
            raise ValueError(
                f"budget_bytes={budget_bytes}, share={share}: take a budget of 0 or more and a share from 1"
            )
        self._budget = budget_bytes
        self._generations = Generations()
        self._entries: OrderedDict[str, tuple[str, Held]] = OrderedDict()
        self._names: dict[str, set[str]] = {}
        self._bytes = 0
        self.entry_bytes = max(0, budget_bytes // share - ENTRY_OVERHEAD_BYTES)
        """The largest derivative that is kept."""

    @property
    def bytes(self) -> int:
        """What the entries cost."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str) -> Held | None:
        """What is kept under *name*; it is then the last to go."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        self._entries.move_to_end(name)
        return entry[1]

    def begin(self) -> int:
        """A token to be taken before the bytes are fetched or made, for :meth:`put`."""
        return self._generations.begin()

    def stands(self, ident: str, token: int) -> bool:
        """Whether *ident* was not dropped since *token*."""
        return self._generations.stands(ident, token)

    def put(self, ident: str, name: str, held: Held, token: int) -> bool:
        """Keep *held*, bytes, under *name*; says whether it is kept.

        It is not where it is a file, too large, or *ident* was dropped since *token*: what was fetched or made before a
        removal must not come back after it.
        """
        if not isinstance(held.body, bytes) or held.size > self.entry_bytes:
            return False
        if self._budget < ENTRY_OVERHEAD_BYTES or not self._generations.stands(ident, token):
            return False
        self._forget(name)
        self._entries[name] = (ident, held)
        self._names.setdefault(ident, set()).add(name)
        self._bytes += held.size + ENTRY_OVERHEAD_BYTES
        while self._bytes > self._budget:
            self._forget(next(iter(self._entries)))
        return True

    def drop(self, ident: str) -> int:
        """Forget every version of *ident*, and refuse what was begun before; says how many there were."""
        self._generations.drop(ident)
        names = list(self._names.get(ident, ()))
        for name in names:
            self._forget(name)
        return len(names)

    def _forget(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        ident, held = entry
        names = self._names[ident]
        names.discard(name)
        if not names:
            del self._names[ident]
        self._bytes -= held.size + ENTRY_OVERHEAD_BYTES
