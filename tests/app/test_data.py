from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from derivproxy.app.data import DataFolder, DataInUse, DataUnusable

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_engine_on_one_data_folder_is_refused_by_name(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from derivproxy.app.data import DataFolder\n"
        "with DataFolder(pathlib.Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DataInUse, match=rf"process {other.pid}"), DataFolder(tmp_path).locked():
            pass
        other.kill()
    with DataFolder(tmp_path).locked():
        pass  # a killed holder leaves no lock behind


def test_what_was_under_way_is_gone_after_a_restart(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.prepare()
    (data.spool / "half").write_bytes(b"x")
    data.prepare()
    assert list(data.spool.iterdir()) == []


def test_the_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    data.prepare()
    token = data.made_token()
    assert len(token) >= 32
    assert data.made_token() == token
    assert data.token_file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_says_which_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataUnusable, match="DERIVPROXY_DATA="), DataFolder(tmp_path / "file").locked():
        pass
