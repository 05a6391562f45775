from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys, structlog
from derivproxy.app.logs import set_up_logs

set_up_logs(sys.argv[1], "info")

def serve():
    headers = {"authorization": "Bearer s3cret"}
    raise ValueError("what went wrong")

for tell in (structlog.get_logger().exception, logging.getLogger("some.library").exception):
    try:
        serve()
    except ValueError:
        tell("an event")
"""


def told(form: str) -> str:
    run = subprocess.run([sys.executable, "-c", PROGRAM, form], capture_output=True, text=True, check=True, timeout=60)
    return run.stderr


@pytest.mark.parametrize("form", ["json", "console"])
def test_tracebacks_say_what_went_wrong_and_no_variable(form: str) -> None:
    text = told(form)
    assert text.count("what went wrong") == 2
    assert "serve" in text
    assert "s3cret" not in text


def test_every_event_is_one_line_of_json() -> None:
    lines = [json.loads(line) for line in told("json").splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("an event", "error")] * 2
