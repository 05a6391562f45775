from __future__ import annotations

import mmap
import subprocess
import sys
import textwrap
import time

from harness.meters import cpu_seconds, pss_bytes, settled_cpu_seconds, tree, watching_memory

BURN = """
    import time
    def burn(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
"""


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BURN) + textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("end\n", timeout=10)


def test_cpu_of_living_and_of_ended_children_counts_once() -> None:
    process = start("""
        import os
        def child(seconds):
            pid = os.fork()
            if not pid:
                burn(seconds)
                print("burnt", flush=True)
                if seconds < 0.25:
                    os._exit(0)
                input()
                os._exit(0)
            return pid
        os.waitpid(child(0.2), 0)
        living = child(0.3)
        input()
    """)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    assert 0.45 <= cpu_seconds([process.pid]) <= 0.75
    assert len(tree([process.pid])) == 2
    end(process)


def test_settled_waits_for_what_is_done_after_the_answer() -> None:
    process = start("""
        print("answered", flush=True)
        burn(0.4)
        input()
    """)
    assert process.stdout is not None
    process.stdout.readline()
    assert settled_cpu_seconds([process.pid]) >= 0.39
    end(process)


def test_memory_that_two_processes_share_counts_once() -> None:
    size = 64 << 20
    process = start(f"""
        import mmap, os
        held = mmap.mmap(-1, {size})
        held.write(b"x" * {size})
        if not os.fork():
            held.seek(0); len(held.read(1))
            for at in range(0, {size}, {mmap.PAGESIZE}):
                held[at]
            print("there", flush=True)
            input()
            os._exit(0)
        input()
    """)
    assert process.stdout is not None
    process.stdout.readline()
    assert size <= pss_bytes([process.pid]) <= size * 1.6
    end(process)


def test_the_peak_is_seen_after_it_is_gone() -> None:
    process = start("""
        import time
        input()
        held = bytearray(b"x") * (100 << 20)
        time.sleep(0.5)
        del held
        print("gone", flush=True)
        input()
    """)
    assert process.stdin is not None
    assert process.stdout is not None
    with watching_memory([process.pid]) as peak:
        process.stdin.write("go\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.1)
    assert peak.pss_bytes >= 100 << 20
    assert pss_bytes([process.pid]) < 100 << 20
    end(process)
