"""The figures as tables for people, as JSON for programs, and as the page that is committed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.parts import Table
    from harness.spread import Spread

BEGIN, END = "<!-- last run: written by run.py --publish -->", "<!-- end of the last run -->"


def as_data(table: Table) -> dict[str, Any]:
    """A part's table for JSON."""
    return {name: {figure: asdict(spread) for figure, spread in one.spreads().items()} for name, one in table.items()}


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that reads well as plain text too."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    lines = [_line(head, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


def by_work(works: dict[str, Table], names: Sequence[str], figure: str, digits: int) -> str:
    """One row a work, one column a contestant."""
    rows = [[work, *(_cell(table, name, figure, digits) for name in names)] for work, table in works.items()]
    return markdown(["", *names], rows)


def by_contestant(table: Table, figures: Sequence[tuple[str, str, int]]) -> str:
    """One row a contestant; *figures* are (name, heading, digits)."""
    rows = [[name, *(_cell(table, name, figure, digits) for figure, _, digits in figures)] for name in table]
    return markdown(["", *(heading for _, heading, _ in figures)], rows)


def _cell(table: Table, name: str, figure: str, digits: int) -> str:
    spread: Spread | None = table[name].spreads().get(figure) if name in table else None
    return spread.text(digits) if spread else "-"


def write_json(data: dict[str, Any], path: Path) -> None:
    """Write *data*, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    half.replace(path)


def publish(text: str, readme: Path) -> None:
    """Put *text* between the marks of the page."""
    page = readme.read_text()
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{readme} lacks the marks {BEGIN!r} and {END!r}, between which the last run goes")
    readme.write_text(f"{before}{BEGIN}\n{text.strip()}\n{END}{after}")
