from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from derivproxy.web.metrics import Metrics

ROOT = Path(__file__).parents[2]


def value(text: bytes, line: str) -> float:
    found = re.search(rf"^{re.escape(line)} (\S+)$", text.decode(), re.MULTILINE)
    assert found is not None, text.decode()
    return float(found[1])


def test_what_is_counted_is_told_under_the_promised_names() -> None:
    metrics = Metrics()
    metrics.request("name", 200, "memory")
    metrics.request("name", 200, "memory")
    metrics.derivation("jpg", "ok", 0.03)
    metrics.store("open", "missing", 0.002)
    metrics.watch_queue(lambda: 3)
    metrics.watch_tier("memory", lambda: 1000)
    metrics.revision(7)
    text = metrics.exposition()
    assert value(text, 'derivproxy_requests_total{cache="memory",route="name",status="200"}') == 2
    assert value(text, 'derivproxy_derivations_total{format="jpg",outcome="ok"}') == 1
    assert value(text, "derivproxy_derivation_seconds_count") == 1
    assert value(text, 'derivproxy_store_seconds_count{operation="open",outcome="missing"}') == 1
    assert value(text, "derivproxy_queue_depth") == 3
    assert value(text, 'derivproxy_hot_tier_bytes{tier="memory"}') == 1000
    assert value(text, "derivproxy_revision") == 7
    assert b"_created" not in text


def test_two_services_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.request("name", 200, "")
    assert b'route="name"' not in other.exposition()


def test_a_folder_that_the_library_does_not_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PROMETHEUS_MULTIPROC_DIR"):
        Metrics(tmp_path)


PROGRAM = """
    import sys
    from pathlib import Path
    from derivproxy.web.metrics import Metrics, process_ended
    import os
    folder = Path(sys.argv[1])
    metrics = Metrics(folder)
    metrics.watch_queue(lambda: int(sys.argv[2]))
    metrics.watch_tier("memory", lambda: 100)
    metrics.revision(int(sys.argv[2]))
    for _ in range(int(sys.argv[2])):
        metrics.request("name", 200, "memory")
        metrics.derivation("jpg", "ok", 0.03)
    metrics.sample()
    print(os.getpid(), file=sys.stderr, flush=True)
    if sys.argv[3] == "tell":
        process_ended(int(sys.argv[4]), folder)
        sys.stdout.buffer.write(metrics.exposition())
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(folder), *words]
    return subprocess.run(command, env=environment, capture_output=True, check=True)


def test_any_process_answers_for_all_of_them(tmp_path: Path) -> None:
    first = run(tmp_path, "3", "count")
    second = run(tmp_path, "4", "count")
    told = run(tmp_path, "5", "tell", first.stderr.decode().strip()).stdout
    assert value(told, 'derivproxy_requests_total{cache="memory",route="name",status="200"}') == 12
    assert value(told, 'derivproxy_derivations_total{format="jpg",outcome="ok"}') == 12
    assert value(told, "derivproxy_derivation_seconds_count") == 12
    # what a process counted outlives it; what it held does not
    assert value(told, "derivproxy_queue_depth") == 9
    assert value(told, 'derivproxy_hot_tier_bytes{tier="memory"}') == 200
    assert value(told, "derivproxy_revision") == 5
    assert second.returncode == 0
