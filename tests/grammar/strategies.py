"""Texts and values to try: legal suffixes, texts the ABNF could make, and texts that are nearly names."""

from __future__ import annotations

from hypothesis import strategies as st

from grammar import Compass, Crop, Fit, Focus, Format, Keep, Profile, Smart, Suffix, Tone
from tests.grammar.reference import COMPASS, FORMATS, IDENT

idents = st.text("0123456789abcdef", min_size=64, max_size=64)
sides = st.integers(1, 65535) | st.sampled_from([1, 9, 10, 49999, 65535])


def _digits(most: int) -> st.SearchStrategy[str]:
    return st.integers(1, most).map(str)


def _nat(most: int) -> st.SearchStrategy[str]:
    return st.integers(0, most).map(str)


# In the order of the names; their numbers go beyond the ranges, as far as the ABNF lets them.
OPTIONS: tuple[st.SearchStrategy[str], ...] = (
    st.builds("-page{}".format, _digits(9999) | st.just("1")),
    st.builds("-crop{}_{}_{}_{}".format, _nat(70000), _nat(70000), _digits(70000), _digits(70000)),
    st.sampled_from(["-cover", "-pad", "-stretch"]),
    st.sampled_from([f"-{point}" for point in COMPASS] + ["-smart"])
    | st.builds("-focus{}_{}".format, *[_nat(1100) | st.sampled_from(["0", "500", "1000"])] * 2),
    st.just("-enlarge"),
    st.just("-flip"),
    st.sampled_from(["-rot90", "-rot180", "-rot270"]),
    st.sampled_from(["-gray", "-bitonal"]),
    st.builds("-blur{}".format, _digits(1100)),
    st.builds("-sharpen{}".format, _digits(110)),
    st.builds("-bg{}".format, st.text("0123456789abcdef", min_size=6, max_size=6) | st.just("ffffff")),
    st.sampled_from(["-p3", "-icc"]),
    st.sampled_from(["-copyright", "-meta"]),
    st.builds("-q{}".format, _digits(110) | st.sampled_from(["60", "80"])) | st.just("-lossless"),
)


@st.composite
def spellings(draw: st.DrawFn, *, formats: tuple[str, ...] = FORMATS) -> str:
    """What the ABNF makes after the ident's dash, whether or not the context conditions hold."""
    side = st.just("") | _digits(70000)
    size = draw(st.builds("{}x{}".format, side, side) | st.builds("{}x{}".format, _digits(900), _digits(900)))
    # Few at a time, else hardly a text would keep all conditions.
    chosen = draw(st.sets(st.integers(0, len(OPTIONS) - 1), max_size=5))
    options = "".join(draw(OPTIONS[index]) for index in sorted(chosen))
    return f"{size}{options}.{draw(st.sampled_from(formats))}"


@st.composite
def suffixes(draw: st.DrawFn) -> Suffix:
    """Legal suffixes made of values, not of text."""
    output = draw(st.sampled_from(Format))
    width, height = draw(st.none() | sides), draw(st.none() | sides)
    both = width is not None and height is not None
    fit = draw(st.sampled_from(Fit)) if both else Fit.INSIDE
    off_grid = st.integers(0, 1000).filter(lambda mille: mille not in {0, 500, 1000})
    anchors: dict[Fit, st.SearchStrategy[Compass | Smart | Focus | None]] = {
        Fit.COVER: st.none()
        | st.sampled_from(Compass)
        | st.just(Smart())
        | st.builds(Focus, off_grid, st.integers(0, 1000))
        | st.builds(Focus, st.integers(0, 1000), off_grid),
        Fit.PAD: st.none() | st.sampled_from(Compass),
    }
    tone = draw(st.none() | st.sampled_from(Tone))
    gif, sharp = output is Format.GIF, tone is not Tone.BITONAL
    default = {Format.JPG: 80, Format.WEBP: 80, Format.AVIF: 60, Format.JXL: 80}.get(output)
    lossless = draw(st.booleans()) and output in {Format.WEBP, Format.AVIF, Format.JXL}
    colours = st.text("0123456789abcdef", min_size=6, max_size=6)
    number = st.integers(0, 65535)
    return Suffix(
        format=output,
        width=width,
        height=height,
        page=draw(st.none() | st.integers(1 if output in {Format.WEBP, Format.GIF} else 2, 9999)),
        crop=draw(st.none() | st.builds(Crop, number, number, sides, sides)),
        fit=fit,
        anchor=draw(anchors.get(fit, st.none())),
        enlarge=draw(st.booleans()) and fit is not Fit.STRETCH and (width is not None or height is not None),
        flip=draw(st.booleans()),
        rotate=draw(st.sampled_from([0, 90, 180, 270])),
        tone=tone,
        blur=draw(st.none() | st.integers(1, 1000)) if sharp else None,
        sharpen=draw(st.none() | st.integers(1, 100)) if sharp else None,
        background=draw(st.none() | colours.filter(lambda colour: output is not Format.JPG or colour != "ffffff")),
        profile=draw(st.none() | st.sampled_from(Profile)) if tone is None and not gif else None,
        keep=draw(st.none() | st.sampled_from(Keep)) if not gif else None,
        quality=None if lossless or default is None else draw(st.none() | st.integers(1, 100).filter(default.__ne__)),
        lossless=lossless,
    )


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """One of *texts* with up to three small accidents."""
    text = draw(texts)
    pieces = st.sampled_from(
        [
            "-",
            "x",
            "0",
            "9",
            ".",
            "~",
            "_",
            "@2x",
            "q",
            "-cover",
            "-north",
            ".jpg",
            "A",
            "\n",
            "\0",
            "%2d",
            "\uff13",
            "é",
            "",
        ]
    )
    for _ in range(draw(st.integers(1, 3))):
        # Past the ident more often than inside it, where one digit is as good as another.
        start = draw(st.integers(0, len(text)) | st.integers(min(60, len(text)), len(text)))
        end = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(pieces | st.characters()) + text[end:]
    return text


whole = spellings().map(lambda suffix: f"{IDENT}-{suffix}")
texts = (
    whole
    | mutated(whole)
    | st.builds("{}~{}".format, st.just(IDENT), _digits(99999))
    | st.just(IDENT)
    | mutated(st.just(IDENT) | st.builds("{}~{}".format, st.just(IDENT), _digits(99999)))
    | st.text(max_size=300)
    | st.text("0123456789abcdefx-._~qjpgw", max_size=100)
)
