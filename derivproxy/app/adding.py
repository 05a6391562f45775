"""Putting files of this machine in while the service runs."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import to_thread

from derivproxy.domain.errors import Fault, UnsupportedMedia

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from derivproxy.domain.images import Image
    from derivproxy.updates import Spool, Updates

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: the image, or why not. *skipped* is a file that is no image at all."""

    file: Path
    image: Image | None = None
    why: str = ""
    skipped: bool = False


def files_in(folders: Iterable[Path]) -> list[Path]:
    """The files in *folders*, in order, without hidden ones. Raises ``OSError``."""
    return [
        file
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


async def add_files(files: Sequence[Path], *, spool: Spool, updates: Updates, limit: int) -> AsyncIterator[Outcome]:
    """Add *files* one after another; one that cannot be added does not stop the others."""
    for file in files:
        try:
            async with aclosing(_chunks(file)) as chunks, spool.receive(chunks, limit=limit) as spooled:
                added = await updates.add(spooled)
            yield Outcome(file, image=added.image)
        except UnsupportedMedia as fault:
            yield Outcome(file, why=fault.detail, skipped=True)
        except Fault as fault:
            yield Outcome(file, why=f"{fault.code}: {fault.detail}")
        except OSError as error:
            yield Outcome(file, why=error.strerror or str(error))


async def _chunks(file: Path) -> AsyncGenerator[bytes]:
    source = await to_thread.run_sync(lambda: file.open("rb"))
    try:
        while chunk := await to_thread.run_sync(source.read, _CHUNK_BYTES):
            yield chunk
    finally:
        source.close()
