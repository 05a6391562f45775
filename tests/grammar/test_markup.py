"""URLs and markup made offline: correct, escaped, and true about their widths."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar import BadName, Crop, Fit, Format, Suffix, canonical, parse, picture, srcset, url
from tests.grammar.reference import IDENT

WIDTHS = [320, 640, 1280]


class Elements(HTMLParser):
    """The elements of a piece of HTML with their attributes, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def entries(listing: str) -> dict[int, str]:
    """The suffixes of a srcset by width."""
    found = {}
    for entry in listing.split(", "):
        address, width = entry.split(" ")
        name = address.rpartition("/")[2]
        assert canonical(name) == name
        found[int(width.removesuffix("w"))] = name.removeprefix(f"{IDENT}-")
    return found


def test_an_address_is_canonical_whatever_was_typed() -> None:
    assert url(IDENT, "300x.jpg") == f"/{IDENT}-300x.jpg"
    assert url(IDENT.upper(), "0300X-Q80.JPEG") == f"/{IDENT}-300x.jpg"
    assert url(IDENT, Suffix(format=Format.WEBP)) == f"/{IDENT}-x.webp"
    assert url(IDENT, "300x@2x.auto") == f"/{IDENT}-600x.auto"


@pytest.mark.parametrize(
    ("public_url", "start"),
    [
        ("", "/"),
        ("/", "/"),
        ("/images", "/images/"),
        ("/images/", "/images/"),
        ("https://img.example", "https://img.example/"),
        ("https://img.example/", "https://img.example/"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
        ("//img.example/a/b", "//img.example/a/b/"),
    ],
)
def test_an_address_begins_as_told(public_url: str, start: str) -> None:
    assert url(IDENT, "300x.jpg", public_url) == f"{start}{IDENT}-300x.jpg"


@pytest.mark.parametrize(
    "public_url",
    [
        "javascript:alert(1)//",
        "data:,",
        "img.example",
        "https://",
        "https://a b",
        "https://a/b,c",
        'https://a"onerror=',
        "https://a/?x=",
        "https://a/#",
        "/a\n",
        "ftp://a",
        "https:\\\\a",
    ],
)
def test_what_begins_no_address_is_refused_with_the_remedy(public_url: str) -> None:
    with pytest.raises(ValueError, match="give https://host"):
        url(IDENT, "300x.jpg", public_url)


def test_a_bad_suffix_is_refused() -> None:
    with pytest.raises(BadName):
        url(IDENT, "300x-cover.jpg")
    with pytest.raises(BadName):
        url("abc", "300x.jpg")
    with pytest.raises(BadName):
        srcset(IDENT, WIDTHS, "300x-cover.jpg")


def test_a_srcset_goes_from_narrow_to_wide_once_each() -> None:
    assert srcset(IDENT, [640, 320, 640], "x-q60.webp", public_url="https://a.example") == (
        f"https://a.example/{IDENT}-320x-q60.webp 320w, https://a.example/{IDENT}-640x-q60.webp 640w"
    )


def test_no_width_is_promised_that_the_base_does_not_have() -> None:
    assert entries(srcset(IDENT, [320, 640, 1280], base_size=(500, 400))) == {320: "320x.jpg", 500: "500x.jpg"}
    assert entries(srcset(IDENT, [640], "x-crop0_0_200_100.jpg", base_size=(500, 400))) == {
        200: "200x-crop0_0_200_100.jpg"
    }
    assert entries(srcset(IDENT, [640], "9x-enlarge.jpg", base_size=(500, 400))) == {640: "640x-enlarge.jpg"}
    assert entries(srcset(IDENT, [640], "3x4-pad.jpg", base_size=(500, 400))) == {640: "640x853-pad.jpg"}
    # the largest window of 4 x 3 in 500 x 400 is 500 x 375, of 1 x 1 it is 400 x 400
    assert entries(srcset(IDENT, [640], "4x3-cover.jpg", base_size=(500, 400))) == {500: "500x375-cover.jpg"}
    assert entries(srcset(IDENT, [640], "1x1-cover.jpg", base_size=(500, 400))) == {400: "400x400-cover.jpg"}


def test_a_box_keeps_its_shape_and_rounds_half_up() -> None:
    assert entries(srcset(IDENT, [3, 5, 800], "400x300-cover-smart.jpg")) == {
        3: "3x2-cover-smart.jpg",
        5: "5x4-cover-smart.jpg",
        800: "800x600-cover-smart.jpg",
    }


def test_blur_and_sharpening_grow_with_the_width_of_the_template() -> None:
    assert entries(srcset(IDENT, [300, 600], "300x-blur5-sharpen3.jpg")) == {
        300: "300x-blur5-sharpen3.jpg",
        600: "600x-blur10-sharpen6.jpg",
    }
    assert entries(srcset(IDENT, [300, 600], "x-blur5.jpg")) == {300: "300x-blur5.jpg", 600: "600x-blur5.jpg"}


def test_a_quarter_turn_makes_the_height_the_width() -> None:
    assert entries(srcset(IDENT, [300, 900], "x-rot90.jpg", base_size=(800, 600))) == {
        300: "x300-rot90.jpg",
        600: "x600-rot90.jpg",
    }
    assert entries(srcset(IDENT, [300], "400x300-cover-rot270.jpg")) == {300: "400x300-cover-rot270.jpg"}
    assert entries(srcset(IDENT, [300], "400x300-cover-rot180.jpg")) == {300: "300x225-cover-rot180.jpg"}


def test_a_template_whose_width_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="leave one side open"):
        srcset(IDENT, WIDTHS, "400x300.jpg")
    for widths in ([], [0], [-5, 300]):
        with pytest.raises(ValueError, match="widths"):
            srcset(IDENT, widths)


def test_a_picture_lists_the_formats_in_order_and_falls_back_on_the_last() -> None:
    text = picture(IDENT, WIDTHS, ["avif", "webp", "jpg"], "A cat", base_size=(1000, 501), suffix="x-q60.jpg")
    (outer, _), *sources, (tag, image) = Elements(text).found
    assert (outer, tag) == ("picture", "img")
    assert [(name, source["type"], source["sizes"]) for name, source in sources] == [
        ("source", "image/avif", "100vw"),
        ("source", "image/webp", "100vw"),
    ]
    # 60 is avif's own quality: it is unspelled there
    assert entries(str(sources[0][1]["srcset"])) == {320: "320x.avif", 640: "640x.avif", 1000: "1000x.avif"}
    assert entries(str(image["srcset"])) == {320: "320x-q60.jpg", 640: "640x-q60.jpg", 1000: "1000x-q60.jpg"}
    assert image["src"] == f"/{IDENT}-1000x-q60.jpg"
    assert (image["width"], image["height"]) == ("1000", "501")
    assert (image["alt"], image["loading"], image["decoding"]) == ("A cat", "lazy", "async")


def test_a_picture_of_unknown_shape_states_none_and_an_eager_one_is_not_lazy() -> None:
    _, image = Elements(picture(IDENT, WIDTHS, [Format.JPG], "", lazy=False)).found[-1]
    assert image["alt"] == ""
    assert not {"width", "height", "loading"} & image.keys()


@pytest.mark.parametrize(
    ("suffix", "base_size", "shape"),
    [
        ("x-crop0_0_30_20.jpg", None, ("30", "20")),
        ("x-rot90.jpg", (400, 200), ("200", "400")),
        ("40x30-cover.jpg", None, ("640", "480")),
        ("40x30-pad-rot90.jpg", (1, 1), ("640", "853")),
        ("x.jpg", (333, 1), ("333", "1")),
        ("x.jpg", (1, 40000), ("1", "40000")),
    ],
)
def test_the_shape_is_that_of_what_comes_out(
    suffix: str, base_size: tuple[int, int] | None, shape: tuple[str, str]
) -> None:
    base_size = (30, 20) if "crop" in suffix else base_size
    _, image = Elements(picture(IDENT, [640], ["jpg"], "", suffix=suffix, base_size=base_size)).found[-1]
    assert (image["width"], image["height"]) == shape


@given(st.text(), st.text(), st.sampled_from(["", "https://a.example/x&y", "/it&more"]))
def test_nothing_that_is_passed_in_can_leave_its_attribute(alt: str, sizes: str, public_url: str) -> None:
    text = picture(IDENT, [300], ["avif", "jpg"], alt, sizes=sizes, public_url=public_url)
    assert text.count("<") == text.count(">") == 4
    (_, _), (_, source), (tag, image) = Elements(text).found
    assert tag == "img"
    assert (image["alt"], image["sizes"], source["sizes"]) == (alt, sizes, sizes)
    assert image["src"] == f"{public_url}/{IDENT}-300x.jpg"


def test_quotes_and_tags_are_escaped() -> None:
    text = picture(IDENT, [300], ["jpg"], "\"><script>alert('1')</script>&amp;", public_url="/a&b")
    assert 'alt="&quot;&gt;&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;&amp;amp;"' in text
    assert f'src="/a&amp;b/{IDENT}-300x.jpg"' in text


def test_a_format_that_cannot_be_what_is_asked_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="jpg cannot be what"):
        picture(IDENT, WIDTHS, ["webp", "jpg"], "", suffix="x-lossless.webp")
    assert "-300x.png" in picture(IDENT, [300], ["webp", "png"], "", suffix="x-lossless.webp")
    with pytest.raises(ValueError, match="fallback"):
        picture(IDENT, WIDTHS, [], "")
    with pytest.raises(ValueError, match="heic"):
        picture(IDENT, WIDTHS, ["heic"], "")


@given(
    st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.sampled_from([Fit.INSIDE, Fit.COVER, Fit.PAD, Fit.STRETCH]),
    st.sampled_from([0, 90, 180, 270]),
    st.none() | st.builds(Crop, st.just(0), st.just(0), st.integers(1, 3000), st.integers(1, 3000)),
)
def test_every_listed_width_is_asked_for_before_turning(
    widths: list[int], base_size: tuple[int, int], fit: Fit, rotate: int, crop: Crop | None
) -> None:
    box = {} if fit is Fit.INSIDE else {"width": 30, "height": 20}
    template = Suffix(format=Format.PNG, fit=fit, rotate=rotate, crop=crop, **box)  # type: ignore[arg-type]
    listing = entries(srcset(IDENT, widths, template, base_size=base_size))
    assert list(listing) == sorted(set(listing))
    for width, suffix in listing.items():
        made = parse(f"{IDENT}-{suffix}").suffix  # type: ignore[union-attr]
        assert (made.height if rotate in {90, 270} else made.width) == width
        assert (made.fit, made.rotate, made.crop) == (fit, rotate, crop)
