"""The faults of the house, by whose fault they are, not by how they travel.

    Fault                          code, detail; ``retry_after`` seconds where trying again can help
    ├── Refused                    what was asked for is wrong, and will be again
    │   ├── BadName                bad-name            (position, expected)
    │   ├── UnknownImage           unknown-image
    │   ├── Removed                removed
    │   ├── Unauthorised           unauthorised
    │   ├── NotAllowed             not-allowed
    │   ├── BadRequest             bad-request         a parameter or header that says nothing we know
    │   ├── TooLarge               too-large
    │   ├── UnsupportedMedia       unsupported-media
    │   └── Unprocessable          the image or the wish cannot be worked with
    │       ├── Undecodable        undecodable
    │       ├── TooManyPixels      too-many-pixels     pixels x frames, or a side
    │       ├── TooManyFrames      too-many-frames
    │       ├── TooManyBands       too-many-bands
    │       ├── TooManyScans       too-many-scans
    │       ├── TooSlow            too-slow            the seconds a derivation may take
    │       ├── CropOutside        crop-outside
    │       ├── NoSuchPage         no-such-page
    │       └── CannotEncode       cannot-encode       a format this build lacks, a size it cannot hold
    └── Unavailable                nothing is wrong with the wish; later it may work
        ├── Overloaded             overloaded
        ├── DerivationFailed       derivation-failed   the deriving process died, twice
        ├── StoreUnavailable       store-unavailable
        ├── BaseMissing            base-missing        a row without its object
        ├── BaseDamaged            base-damaged        bytes that do not hash to their name
        └── DiskFull               disk-full

``code`` is stable and part of the interface; web has the one table that turns codes into statuses.
"""

from __future__ import annotations

from typing import ClassVar


class Fault(Exception):
    """A failure with a stable *code* and a *detail* that names the value and the remedy."""

    code: ClassVar[str] = "fault"
    retry_after: int | None = None

    def __init__(self, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if retry_after is not None:
            self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        # Faults cross from the deriving processes: keyword arguments are lost to the default reduction.
        return (type(self), (self.detail,), self.__dict__)


class Refused(Fault):
    """What was asked for is wrong, and will be again."""


class BadName(Refused):
    """The text is no name. *position* is the offset of the first wrong character, *expected* what could stand there."""

    code = "bad-name"

    def __init__(self, detail: str, *, position: int = 0, expected: str = "") -> None:
        super().__init__(detail)
        self.position = position
        self.expected = expected


class UnknownImage(Refused):
    """No image has this ident."""

    code = "unknown-image"


class Removed(Refused):
    """The image was here and was taken away."""

    code = "removed"


class Unauthorised(Refused):
    """The token is missing or wrong."""

    code = "unauthorised"


class NotAllowed(Refused):
    """The size policy, the signature or the visibility does not allow this name."""

    code = "not-allowed"


class BadRequest(Refused):
    """A parameter, header or body that says nothing we know."""

    code = "bad-request"


class TooLarge(Refused):
    """More bytes than a file may have."""

    code = "too-large"


class UnsupportedMedia(Refused):
    """Bytes of a kind this build does not read."""

    code = "unsupported-media"


class Unprocessable(Refused):
    """The image or the wish cannot be worked with."""

    code = "unprocessable"


class Undecodable(Unprocessable):
    """The bytes break off or contradict themselves."""

    code = "undecodable"


class TooManyPixels(Unprocessable):
    """More pixels x frames, or a longer side, than the limit."""

    code = "too-many-pixels"


class TooManyFrames(Unprocessable):
    """More frames or pages than the limit."""

    code = "too-many-frames"


class TooManyBands(Unprocessable):
    """More bands (channels) than the limit."""

    code = "too-many-bands"


class TooManyScans(Unprocessable):
    """More JPEG scans, or scans x pixels, than the limit."""

    code = "too-many-scans"


class TooSlow(Unprocessable):
    """The work did not end within the seconds it may take."""

    code = "too-slow"


class CropOutside(Unprocessable):
    """The crop does not lie inside the oriented base."""

    code = "crop-outside"


class NoSuchPage(Unprocessable):
    """The base has fewer pages."""

    code = "no-such-page"


class CannotEncode(Unprocessable):
    """A format this build cannot write, or a size the format cannot hold."""

    code = "cannot-encode"


class Unavailable(Fault):
    """Nothing is wrong with the wish; later it may work."""

    code = "unavailable"
    retry_after = 1


class Overloaded(Unavailable):
    """The queue is full."""

    code = "overloaded"


class DerivationFailed(Unavailable):
    """The deriving process died, and so did the one that tried again."""

    code = "derivation-failed"
    retry_after = 10


class StoreUnavailable(Unavailable):
    """The object store did not answer, or not in time."""

    code = "store-unavailable"
    retry_after = 5


class BaseMissing(Unavailable):
    """The metadata knows the image, the store does not."""

    code = "base-missing"
    retry_after = 60


class BaseDamaged(Unavailable):
    """The store's bytes do not hash to the base's name."""

    code = "base-damaged"
    retry_after = 60


class DiskFull(Unavailable):
    """No room left where something has to be written."""

    code = "disk-full"
    retry_after = 60
