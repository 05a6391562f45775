"""Images for tests."""

from __future__ import annotations

import hashlib

from derivproxy.domain.images import ColourProfile, Facts, Image, Visibility


def ident(seed: object) -> str:
    return hashlib.sha256(str(seed).encode()).hexdigest()


def facts(seed: object = 0, **changes: object) -> Facts:
    known: dict[str, object] = {
        "media_type": "image/png",
        "bytes": 1234,
        "md5": hashlib.md5(str(seed).encode(), usedforsecurity=False).hexdigest(),
        "width": 640,
        "height": 480,
        "pages": 3,
        "page_height": 480,
        "animated": True,
        "alpha": True,
        "bands": 4,
        "bits": 16,
        "profile": ColourProfile.P3,
        "interlaced": True,
    }
    return Facts(**(known | changes))  # type: ignore[arg-type]


def picture(
    seed: object,
    *,
    title: str = "",
    path: str = "",
    tags: tuple[str, ...] = (),
    private: bool = False,
    added: float = 1_700_000_000.5,
) -> Image:
    return Image(
        ident=ident(seed),
        facts=facts(seed),
        title=title,
        path=path,
        tags=tags,
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        added=added,
    )
