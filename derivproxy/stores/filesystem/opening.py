"""From an address to a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from derivproxy.stores.errors import BadStore
from derivproxy.stores.filesystem.store import FilesystemStore

if TYPE_CHECKING:
    from derivproxy.stores.interface import Store


def open_filesystem(url: str, container: str, **options: Any) -> Store:  # noqa: ANN401 -- those of FilesystemStore
    """Open the folder *container* in the folder that *url* (``file:///srv/images``) names; both are made where missing.

    Raises ``BadStore`` for an address that names no absolute folder on this machine.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise BadStore(f"store {url!r}: {error}; write it like file:///srv/images") from error
    folder = unquote(parts.path)
    if parts.netloc:
        meant = f"file:///{parts.netloc.lstrip('.')}{parts.path}".replace("////", "///")
        raise BadStore(
            f"store {url!r}: {parts.netloc!r} stands where a host would; a folder on this machine begins with a third "
            f"slash, like {meant}"
        )
    if parts.query or parts.fragment:
        raise BadStore(f"store {url!r}: nothing can follow the folder; write % ? # in its name as %25 %3F %23")
    if not folder.startswith("/") or not folder.strip("/"):
        raise BadStore(f"store {url!r} names no folder: write the absolute path, like file:///srv/images")
    if "\0" in folder or ".." in folder.split("/"):
        raise BadStore(f"store {url!r}: write the plain absolute path, without '..' and NUL")
    return FilesystemStore(Path(folder) / container, **options)
