"""The filesystem provider: ``file:///srv/images`` with a folder for each container."""

from __future__ import annotations

from derivproxy.stores.filesystem.opening import open_filesystem
from derivproxy.stores.filesystem.store import FilesystemStore

__all__ = ["FilesystemStore", "open_filesystem"]
