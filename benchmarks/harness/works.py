"""The works every contestant does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture to derive from: its name in the corpus, and what stands in for it where there is no corpus."""

    file: str
    width: int
    height: int
    progressive: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """One derivation: *photo* to *width* pixels, its height following, as *suffix*."""

    name: str
    photo: Photo
    suffix: str
    width: int = 400
    default: bool = True

    @property
    def height(self) -> int:
        """The height that comes out, halves up."""
        return (2 * self.photo.height * self.width + self.photo.width) // (2 * self.photo.width)


CAM12 = Photo("cam12.jpg", 4000, 3000)
CAM24 = Photo("cam24.jpg", 6000, 4000)
DRAGONFLY = Photo("dragonfly_13mp_base.jpg", 4224, 3168)
SUNSET = Photo("sunset_12mp_prog.jpg", 4272, 2848, progressive=True)
CANOPEE = Photo("canopee_8mp.png", 3840, 2160)
PHOTO = Photo("photo_4mp.webp", 2309, 1732)
WOOD = Photo("wood_17mp.webp", 4096, 4096)
TINY = Photo("tiny.jpg", 64, 48)

MAIN = Work("12 MP JPEG → jpg", CAM12, "jpg")
OVERHEAD = Work("64x48 JPEG → 32 px jpg", TINY, "jpg", 32)

WORKS = (
    MAIN,
    Work("13 MP JPEG → jpg", DRAGONFLY, "jpg"),
    Work("12 MP progressive JPEG → jpg", SUNSET, "jpg"),
    Work("24 MP JPEG → jpg", CAM24, "jpg", default=False),
    Work("12 MP JPEG → webp", CAM12, "webp"),
    Work("12 MP JPEG → avif", CAM12, "avif"),
    Work("8 MP PNG → png", CANOPEE, "png"),
    Work("8 MP PNG → jpg", CANOPEE, "jpg", default=False),
    Work("4 MP WebP → webp", PHOTO, "webp"),
    Work("17 MP WebP → webp", WOOD, "webp", default=False),
)
