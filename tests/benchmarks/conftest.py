from __future__ import annotations

import sys
from pathlib import Path

# benchmarks/ is a folder of scripts, in no package.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
