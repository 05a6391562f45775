"""Which of the two profiles that matter an ICC profile is (ICC.1:2022): sRGB, Display P3, or something else.

Told by colorants and tone curve, not by the description, which says whatever its writer liked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from derivproxy.domain.images import ColourProfile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Colorants as seen under D50, to which ICC profiles are adapted: red, green, blue, each XYZ.
_COLORANTS: Final[Mapping[ColourProfile, Sequence[Sequence[float]]]] = {
    ColourProfile.SRGB: ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139)),
    ColourProfile.P3: ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)),
}
_TOLERANCE: Final = 0.003
# The curve both share, at three places: an sRGB of gamma 2.2 differs by 0.0037 at a tenth and needs a conversion.
_CURVE: Final = ((0.1, 0.01002), (0.5, 0.21404), (0.8, 0.60383))
_CURVE_TOLERANCE: Final = 0.002
_MOST_TAGS: Final = 200


def classify(profile: bytes) -> ColourProfile:
    """What *profile* is; ``OTHER`` for whatever is not surely one of the two, damaged ones too."""
    if profile[36:40] != b"acsp" or profile[16:20] != b"RGB " or profile[20:24] != b"XYZ ":
        return ColourProfile.OTHER
    tags = _tags(profile)
    if b"A2B0" in tags:  # a table decides then, not the colorants
        return ColourProfile.OTHER
    try:
        colorants = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = [tags[name] for name in (b"rTRC", b"gTRC", b"bTRC")]
    except (KeyError, IndexError):
        return ColourProfile.OTHER
    if not all(_is_srgb_curve(curve) for curve in curves):
        return ColourProfile.OTHER
    for kind, wanted in _COLORANTS.items():
        pairs = zip(colorants, wanted, strict=True)
        if all(abs(a - b) <= _TOLERANCE for one, other in pairs for a, b in zip(one, other, strict=True)):
            return kind
    return ColourProfile.OTHER


def _tags(profile: bytes) -> dict[bytes, bytes]:
    # tag table = count, *(signature, offset, size), each 4 bytes
    count = int.from_bytes(profile[128:132], "big")
    tags = {}
    for at in range(132, 132 + 12 * min(count, _MOST_TAGS), 12):
        offset, size = int.from_bytes(profile[at + 4 : at + 8], "big"), int.from_bytes(profile[at + 8 : at + 12], "big")
        tags[profile[at : at + 4]] = profile[offset : offset + size]
    return tags


def _fixed(data: bytes, at: int) -> float:
    if at + 4 > len(data):
        raise IndexError(at)
    return int.from_bytes(data[at : at + 4], "big", signed=True) / 65536


def _xyz(tag: bytes) -> tuple[float, float, float]:
    return _fixed(tag, 8), _fixed(tag, 12), _fixed(tag, 16)


def _is_srgb_curve(tag: bytes) -> bool:
    try:
        return all(abs(_curve(tag, x) - y) <= _CURVE_TOLERANCE for x, y in _CURVE)
    except (IndexError, ValueError, OverflowError, ZeroDivisionError, TypeError):
        return False


def _curve(tag: bytes, x: float) -> float:
    """The linear light that the tone curve *tag* gives for the encoded value *x*."""
    if tag[:4] == b"para" and tag[8:10] == b"\x00\x03":
        # Y = (aX + b)^g from X = d up, else cX
        g, a, b, c, d = (_fixed(tag, at) for at in range(12, 32, 4))
        return float((a * x + b) ** g) if x >= d else c * x
    if tag[:4] != b"curv":
        raise ValueError("neither a sampled nor the piecewise curve")
    count = int.from_bytes(tag[8:12], "big")
    if count == 1:
        return float(x ** (int.from_bytes(tag[12:14], "big") / 256))
    low = int(x * (count - 1))
    if count == 0 or 14 + 2 * (low + 1) > len(tag):
        raise ValueError("a straight line, or a table that breaks off")
    samples = [int.from_bytes(tag[at : at + 2], "big") / 65535 for at in (12 + 2 * low, 14 + 2 * low)]
    return samples[0] + (samples[1] - samples[0]) * (x * (count - 1) - low)
