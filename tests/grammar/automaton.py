"""Whether an expression reads a text in two ways, decided for all texts at once.

The automaton has a state for each place in the expression where a character is taken (Glushkov's construction); two
readings of one text are two different paths through it. In its square, two paths walk side by side on the same
characters: the expression is ambiguous exactly where a pair of different states can be reached from the start and can
reach the end. Empty readings leave no trace in states, so they are looked for by themselves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from grammar.expression import Captured, Choice, Expression, OneOf, Sequence, Times, Word

START = 0


@dataclass
class Ends:
    """The states a part begins and ends with, and in how many ways it is empty (2 stands for more than one)."""

    first: set[int]
    last: set[int]
    empty: int


@dataclass
class Automaton:
    """State 0 is the start; ``takes[state]`` are the characters on which it is entered."""

    takes: list[frozenset[str]] = field(default_factory=lambda: [frozenset()])
    after: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    final: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def build(self, expression: Expression) -> Automaton:
        whole = self._part(expression)
        self.after[START] |= whole.first
        self.final = whole.last | ({START} if whole.empty else set())
        if whole.empty > 1:
            self.faults.append("nothing is read in two ways")
        return self

    def accepts(self, text: str) -> int:
        """The number of readings of *text*."""
        ways = {START: 1}
        for character in text:
            after: dict[int, int] = defaultdict(int)
            for state, count in ways.items():
                for follower in self.after[state]:
                    if character in self.takes[follower]:
                        after[follower] += count
            ways = after
        return sum(count for state, count in ways.items() if state in self.final)

    def _state(self, characters: str) -> Ends:
        self.takes.append(frozenset(characters))
        state = len(self.takes) - 1
        return Ends({state}, {state}, 0)

    def _part(self, expression: Expression) -> Ends:
        match expression:
            case Word(text):
                return self._joined([self._state(character) for character in text])
            case OneOf(characters):
                return self._state(characters)
            case Sequence(parts):
                return self._joined([self._part(part) for part in parts])
            case Choice(parts):
                ends = [self._part(part) for part in parts]
                return Ends(
                    set().union(*(end.first for end in ends)),
                    set().union(*(end.last for end in ends)),
                    min(2, sum(end.empty for end in ends)),
                )
            case Captured(_, part):
                return self._part(part)
            case Times(part, least, most):
                return self._times(part, least, most)

    def _joined(self, ends: list[Ends]) -> Ends:
        whole = Ends(set(), set(), 1)
        for end in ends:
            for state in whole.last:
                self.after[state] |= end.first
            whole = Ends(
                whole.first | end.first if whole.empty else whole.first,
                whole.last | end.last if end.empty else end.last,
                min(2, whole.empty * end.empty),
            )
        return whole

    def _times(self, part: Expression, least: int, most: int | None) -> Ends:
        copies = [self._part(part) for _ in range(max(least, 1) if most is None else most)]
        if copies[0].empty:
            self.faults.append(f"what may be empty is repeated: {part}")
        if most is None:
            for state in copies[-1].last:
                self.after[state] |= copies[-1].first
        whole = self._joined(copies)
        for end in copies[max(least, 1) - 1 : -1]:
            whole.last |= end.last
        return Ends(whole.first, whole.last, whole.empty if least else 1)


def ambiguities(expression: Expression) -> list[str]:
    """What is read in two ways: texts' shortest beginnings up to where two readings part, or faults; empty is proof."""
    machine = Automaton().build(expression)
    reached: dict[tuple[int, int], str] = {(START, START): ""}
    before: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    queue = [(START, START)]
    for pair in queue:
        for one in machine.after[pair[0]]:
            for other in machine.after[pair[1]]:
                shared = machine.takes[one] & machine.takes[other]
                if not shared:
                    continue
                before[one, other].add(pair)
                if (one, other) not in reached:
                    reached[one, other] = reached[pair] + min(shared)
                    queue.append((one, other))
    useful = [pair for pair in reached if pair[0] in machine.final and pair[1] in machine.final]
    coreachable = set(useful)
    for pair in useful:
        for earlier in before[pair] - coreachable:
            coreachable.add(earlier)
            useful.append(earlier)
    return machine.faults + [reached[pair] for pair in coreachable if pair[0] != pair[1]]
