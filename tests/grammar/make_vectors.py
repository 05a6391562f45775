"""Makes ``grammar/vectors.json`` of the tables in ``cases.py``: ``python -m tests.grammar.make_vectors``.

The tables are written by hand, positions and answers too; what the code says is compared with them on the way, and
only parameters and expectations are taken from it.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import grammar
from grammar import (
    BadName,
    Base,
    Compass,
    Crop,
    Focus,
    Rung,
    Smart,
    Suffix,
    canonical,
    canonical_request,
    negotiate,
    parse,
    parse_suffix,
)
from tests.grammar.attempts import attempt
from tests.grammar.cases import BUNDLED, FORGIVEN, MARKED, NAMES, NEGOTIATED, REFUSED, REQUESTS
from tests.grammar.reference import IDENT

VECTORS = Path(grammar.__file__).with_name("vectors.json")
ABOUT = (
    "Test vectors of the names. names: each key with its kind and parameters (what is unspelled is absent). refused: "
    "what a strict reader of names refuses, with the 0-based position and all that could stand there. canonical: what "
    "is forgiven and the name it means. not_forgiven: what is refused all the same. requests: spellings of .auto "
    "requests. negotiated: .auto requests with the Accept field (null: none) and facts of the base, for a server that "
    "writes formats."
)


def parameters(suffix: Suffix) -> dict[str, Any]:
    """What *suffix* says, without what is unspelled, in the types of JSON."""
    said: dict[str, Any] = {}
    for field in fields(suffix):
        value = getattr(suffix, field.name)
        match value:
            case Crop(x, y, width, height):
                value = {"x": x, "y": y, "width": width, "height": height}
            case Compass():
                value = {"compass": value.value}
            case Smart():
                value = {"smart": True}
            case Focus(x, y):
                value = {"focus": {"x": x, "y": y}}
        if value != field.default:
            said[field.name] = value
    return said


def _refused(marked: str) -> dict[str, Any]:
    marked = marked.replace("{ident}", IDENT).replace("{upper}", f"A{IDENT[1:]}").replace("{short}", IDENT[:-1])
    text, position = marked.replace("^", ""), marked.index("^")
    error = attempt(parse, text)
    if not isinstance(error, BadName) or error.position != position:
        raise SystemExit(f"{text!r} should be refused at {position}: {error}")
    return {"text": text, "position": position, "expected": list(error.expected)}


def _not_forgiven(written: str) -> dict[str, Any]:
    error = attempt(canonical, IDENT + written)
    if not isinstance(error, BadName):
        raise SystemExit(f"{written} should not be forgiven as {error}")
    return {"text": IDENT + written, "position": error.position, "expected": list(error.expected)}


def _meant(written: str, meant: str, *, auto: bool) -> dict[str, str]:
    found = (canonical_request if auto else canonical)(IDENT + written)
    if found != IDENT + meant:
        raise SystemExit(f"{written} should mean {meant}, not {found}")
    return {"text": IDENT + written, "name": found}


def _negotiated(stem: str, accept: str | None, facts: set[str], answer: str) -> dict[str, Any]:
    text, known = f"{IDENT}-{stem}.auto", {"alpha": "alpha" in facts, "animated": "animated" in facts}
    name = negotiate(text, accept, **known, formats=[grammar.Format(word) for word in BUNDLED])
    if str(name) != f"{IDENT}-{answer}":
        raise SystemExit(f"{text} with {accept!r} should be {answer}, not {name}")
    return {"text": text, "accept": accept, **known, "name": str(name)}


def make() -> str:
    """The whole file."""
    names: list[dict[str, Any]] = [
        {"name": str(Base(IDENT)), "kind": "base"},
        *({"name": str(Rung(IDENT, side)), "kind": "rung", "parameters": {"side": side}} for side in (1, 2048, 65535)),
        *(
            {"name": f"{IDENT}-{text}", "kind": "derivative", "parameters": parameters(parse_suffix(text))}
            for text in NAMES
        ),
    ]
    tables = {
        "names": names,
        "refused": [_refused(marked) for marked in MARKED],
        "canonical": [_meant(written, meant, auto=False) for written, meant in FORGIVEN.items()],
        "not_forgiven": [_not_forgiven(written) for written in REFUSED],
        "requests": [_meant(written, meant, auto=True) for written, meant in REQUESTS.items()],
        "negotiated": [_negotiated(*case) for case in NEGOTIATED],
    }
    lines = [f'  "about": {json.dumps(ABOUT)},', f'  "formats": {json.dumps(BUNDLED)},']
    for title, rows in tables.items():
        body = ",\n".join(f"    {json.dumps(row)}" for row in rows)
        lines.append(f'  "{title}": [\n{body}\n  ],')
    return "{\n" + "\n".join(lines).removesuffix(",") + "\n}\n"


if __name__ == "__main__":
    VECTORS.write_text(make())
