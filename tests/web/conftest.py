from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.service import Service

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def spool_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every service of a test keeps its uploads; nothing may be left there."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(Service, "spool_folder", folder, raising=False)
    return folder
