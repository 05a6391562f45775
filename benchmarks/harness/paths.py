"""Where things are, from this file alone: nothing outside the checkout but the photos beside it."""

from __future__ import annotations

from pathlib import Path

HARNESS = Path(__file__).resolve().parent
BENCHMARKS = HARNESS.parent
CHECKOUT = BENCHMARKS.parent
PEERS = BENCHMARKS / ".peers"
THUMBOR = PEERS / "thumbor"
IPX = PEERS / "ipx"
RESULTS = BENCHMARKS / "results"
LAST = BENCHMARKS / "last.json"
README = BENCHMARKS / "README.md"
SAMPLES = CHECKOUT / "samples"
CORPUS = CHECKOUT.parent / "shared" / "corpus"
