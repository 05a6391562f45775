"""Tables of names and texts, written by hand: the tests read them, and the published vectors are made of them."""

from __future__ import annotations

NAMES = """
x.jpg
x.webp
x.avif
x.png
x.gif
x.tif
x.jxl
300x.jpg
x200.jpg
300x200.jpg
1x1.png
65535x65535.tif
9x.gif
x-page1.webp
x-page1.gif
x-page2.jpg
x-page9999.tif
x-crop0_0_1_1.jpg
512x512-crop1024_0_512_512.jpg
x-crop65535_65535_65535_65535.png
300x200-cover.jpg
300x200-pad.png
300x200-stretch.webp
3x2-cover-north.jpg
3x2-cover-northeast.jpg
3x2-cover-northwest.jpg
3x2-cover-south.jpg
3x2-cover-southeast.jpg
3x2-cover-southwest.jpg
3x2-cover-east.jpg
3x2-pad-west.jpg
3x2-pad-southeast.png
300x200-cover-smart.webp
300x200-cover-focus500_333.jpg
3x2-cover-focus0_1.jpg
3x2-cover-focus1000_999.jpg
3x2-cover-focus1_500.jpg
300x-enlarge.jpg
x200-enlarge.jpg
300x200-enlarge.jpg
3x2-cover-enlarge.jpg
3x2-pad-south-enlarge.jpg
x-flip.jpg
x-rot90.jpg
x-rot180.jpg
x-rot270.jpg
x-flip-rot90.jpg
x-gray.jpg
x-bitonal.png
400x-gray-q60.jpg
x-blur1.jpg
x-blur1000.jpg
x-sharpen1.jpg
x-sharpen100.jpg
x-bg000000.jpg
x-bgffffff.png
x-bgfffffe.jpg
800x600-pad-bg1e1e1e.png
x-p3.avif
x-icc.jpg
x-copyright.jpg
x-meta.webp
x-q1.jpg
x-q79.jpg
x-q81.jpg
x-q100.jpg
x-q60.webp
x-q80.avif
x-q60.jxl
x-lossless.webp
x-lossless.avif
x-lossless.jxl
x-page3-rot90.tif
x-gray-copyright-lossless.webp
x-bitonal-bg00ff00-meta.png
9x9-pad-north-bg0a0b0c-p3-meta-q7.avif
65535x65535-page9999-crop65535_65535_65535_65535-cover-focus1000_999-enlarge-flip-rot270-gray-blur1000-sharpen100-bg000000-copyright-lossless.webp
""".strip().splitlines()
"""Suffixes of canonical names: sizes, each option by itself at both ends of its range, many together."""

MARKED = """
^
^x
^{upper}
{short}^
{short}^-x.jpg
{short}^g-x.jpg
{ident}^.jpg
{ident}^_x.jpg
{ident}^+x.jpg
{ident}^~512
{ident}^0
{ident}-^
{ident}-^.jpg
{ident}-^q7.jpg
{ident}-^-x.jpg
{ident}-^0x.jpg
{ident}-^0300x.jpg
{ident}-300^
{ident}-300^.jpg
{ident}-300^X.jpg
{ident}-12345^6x.jpg
{ident}-x^
{ident}-x^0.jpg
{ident}-300x^.
{ident}-300x^.jpeg
{ident}-300x^.JPG
{ident}-300x.tif^f
{ident}-300x^.auto
{ident}-300x.jpg^x
{ident}-300x^@2x.jpg
{ident}-300x200^-covr.jpg
{ident}-300x200^-inside.jpg
{ident}-300x200-cover^-centre.jpg
{ident}-300x200-cover-north^north.jpg
{ident}-x-gray^-gray.jpg
{ident}-x-q7^-gray.jpg
{ident}-x-meta^-flip.jpg
{ident}-x-page^0.webp
{ident}-x-page^.webp
{ident}-x-page1000^0.webp
{ident}-x-crop0_0_^0_1.jpg
{ident}-x-crop0_0_1^.jpg
{ident}-x-crop0^0_0_1_1.jpg
{ident}-x-rot^45.jpg
{ident}-x-rot^0.jpg
{ident}-x-blur^0.jpg
{ident}-x-bgfff^.jpg
{ident}-x-bg^FFFFFF.png
{ident}-x-q^0.jpg
{ident}-x-q^-7.jpg
{ident}-x-q100^0.jpg
{ident}-9x9-cover-focus0^0_1.jpg
{ident}-9x9-cover-focus5^.jpg
{ident}-^65536x.jpg
{ident}-x^65536.jpg
{ident}-^99999x99999.jpg
{ident}-^x-cover.jpg
{ident}-300x^-cover.jpg
{ident}-^x200-pad.jpg
{ident}-300x^-stretch.jpg
{ident}-^x-enlarge.jpg
{ident}-9x9-stretch^-enlarge.jpg
{ident}-9x9^-north.jpg
{ident}-9x9-stretch^-north.jpg
{ident}-9x9^-smart.jpg
{ident}-9x9-pad^-smart.jpg
{ident}-9x9-pad^-focus1_1.jpg
{ident}-9x9-cover^-focus0_0.jpg
{ident}-9x9-cover^-focus500_500.jpg
{ident}-9x9-cover^-focus500_1000.jpg
{ident}-9x9-cover^-focus1001_1.jpg
{ident}-x^-page1.jpg
{ident}-x^-page1.png
{ident}-x^-crop70000_0_1_1.jpg
{ident}-x^-crop0_0_1_65536.jpg
{ident}-x-gray^-p3.jpg
{ident}-x^-icc.gif
{ident}-x^-copyright.gif
{ident}-x^-meta.gif
{ident}-x-bitonal^-blur5.png
{ident}-x-bitonal^-sharpen5.png
{ident}-x^-blur1001.jpg
{ident}-x^-sharpen101.jpg
{ident}-x^-bgffffff.jpg
{ident}-x^-q80.jpg
{ident}-x^-q80.webp
{ident}-x^-q60.avif
{ident}-x^-q80.jxl
{ident}-x^-q101.jpg
{ident}-x^-q7.png
{ident}-x^-q7.gif
{ident}-x^-q7.tif
{ident}-x^-lossless.jpg
{ident}-x^-lossless.png
{ident}-x-q7^-lossless.webp
""".strip().splitlines()
"""Texts that no strict reader takes; the caret stands where the refusal must point."""

FORGIVEN: dict[str, str] = {
    # what is written behind the ident, and what it means
    # capitals
    "-300X.JPG": "-300x.jpg",
    "-300x-Gray.Webp": "-300x-gray.webp",
    "-8x6-pad-bgFFEEDD.png": "-8x6-pad-bgffeedd.png",
    # other words for a format, and no size at all
    "-300x.jpeg": "-300x.jpg",
    "-300x.TIFF": "-300x.tif",
    ".webp": "-x.webp",
    ".jpeg": "-x.jpg",
    # order
    "-x-q7-gray.jpg": "-x-gray-q7.jpg",
    "-8x6-lossless-enlarge-smart-cover.webp": "-8x6-cover-smart-enlarge-lossless.webp",
    "-x-meta-p3-bg000000-sharpen1-blur2-rot90-flip-crop1_2_3_4-page5.avif": (
        "-x-page5-crop1_2_3_4-flip-rot90-blur2-sharpen1-bg000000-p3-meta.avif"
    ),
    # leading zeros, and 0 for an open side
    "-0300x.jpg": "-300x.jpg",
    "-300x0.jpg": "-300x.jpg",
    "-0x300.jpg": "-x300.jpg",
    "-0x0.jpg": "-x.jpg",
    "-000x00.jpg": "-x.jpg",
    "-x-q007.jpg": "-x-q7.jpg",
    "-x-page03-crop00_01_002_0003-rot090-blur04-sharpen05.jpg": "-x-page3-crop0_1_2_3-rot90-blur4-sharpen5.jpg",
    "-9x9-cover-focus007_0500.jpg": "-9x9-cover-focus7_500.jpg",
    "-" + "0" * 300 + "7x.jpg": "-7x.jpg",
    # spelled defaults
    "-300x-inside.jpg": "-300x.jpg",
    "-x-inside.jpg": "-x.jpg",
    "-9x9-cover-centre.jpg": "-9x9-cover.jpg",
    "-9x9-cover-center.jpg": "-9x9-cover.jpg",
    "-9x9-pad-centre.jpg": "-9x9-pad.jpg",
    "-9x9-cover-focus500_500.jpg": "-9x9-cover.jpg",
    "-9x9-cover-focus0_0.jpg": "-9x9-cover-northwest.jpg",
    "-9x9-cover-focus500_0.jpg": "-9x9-cover-north.jpg",
    "-9x9-cover-focus1000_0.jpg": "-9x9-cover-northeast.jpg",
    "-9x9-cover-focus0_500.jpg": "-9x9-cover-west.jpg",
    "-9x9-cover-focus1000_500.jpg": "-9x9-cover-east.jpg",
    "-9x9-cover-focus0_1000.jpg": "-9x9-cover-southwest.jpg",
    "-9x9-cover-focus500_1000.jpg": "-9x9-cover-south.jpg",
    "-9x9-cover-focus1000_1000.jpg": "-9x9-cover-southeast.jpg",
    "-x-rot0.jpg": "-x.jpg",
    "-x-srgb.jpg": "-x.jpg",
    "-x-q80.jpg": "-x.jpg",
    "-x-q80.webp": "-x.webp",
    "-x-q60.avif": "-x.avif",
    "-x-q80.jxl": "-x.jxl",
    "-x-page1.jpg": "-x.jpg",
    "-x-page1.png": "-x.png",
    "-x-page1.avif": "-x.avif",
    "-x-page1.tif": "-x.tif",
    "-x-page1.jxl": "-x.jxl",
    "-x-bgffffff.jpg": "-x.jpg",
    "-x-bgFFFFFF.jpeg": "-x.jpg",
    # scales: sides, blur and sharpen, halves up; a crop is in pixels of the base
    "-300x200@2x.jpg": "-600x400.jpg",
    "-300x@1.5x.jpg": "-450x.jpg",
    "-3x5@1.5x.jpg": "-5x8.jpg",
    "-1x@1.4x.jpg": "-1x.jpg",
    "-1x@1.5x.jpg": "-2x.jpg",
    "-333x@1.1x.jpg": "-366x.jpg",
    "-335x@1.1x.jpg": "-369x.jpg",
    "-300x@1x.jpg": "-300x.jpg",
    "-300x@1.0x.jpg": "-300x.jpg",
    "-300x@4.0x.jpg": "-1200x.jpg",
    "-300x@4X.jpg": "-1200x.jpg",
    "-300x@02x.jpg": "-600x.jpg",
    "-x@3x.jpg": "-x.jpg",
    "@2x.webp": "-x.webp",
    "-30x-crop1_2_30_40-blur5-sharpen3@1.5x.jpg": "-45x-crop1_2_30_40-blur8-sharpen5.jpg",
    "-16383x@4x.tif": "-65532x.tif",
    # all at once
    "-0200X100-Q060-CENTER-COVER@1.5X.AVIF": "-300x150-cover.avif",
}

REFUSED: list[str] = [
    # said twice, or two of one kind
    "-x-gray-gray.jpg",
    "-x-gray-bitonal.jpg",
    "-9x9-cover-pad.jpg",
    "-9x9-cover-inside.jpg",
    "-9x9-inside-inside.jpg",
    "-9x9-cover-centre-north.jpg",
    "-9x9-cover-centre-center.jpg",
    "-x-q7-q7.jpg",
    "-x-q7-lossless.webp",
    "-x-q80-lossless.webp",
    "-x-rot0-rot90.jpg",
    "-x-srgb-p3.jpg",
    "-x-flip-flip.jpg",
    "-300x@2x@2x.jpg",
    # a default where its option cannot stand
    "-x-q80.png",
    "-x-q60.gif",
    "-x-lossless.png",
    "-x-lossless.jpg",
    "-x-centre.jpg",
    "-9x9-centre.jpg",
    "-9x9-stretch-centre.jpg",
    "-9x9-inside-north.jpg",
    "-9x9-focus500_500.jpg",
    "-9x9-pad-focus500_500.jpg",
    "-9x9-pad-focus0_0.jpg",
    "-x-srgb.gif",
    "-x-gray-srgb.jpg",
    # zeros that are not open sides, and numbers out of range
    "-x-q0.jpg",
    "-x-q101.jpg",
    "-x-page0.jpg",
    "-x-page10000.jpg",
    "-x-blur0.jpg",
    "-x-blur1001.jpg",
    "-x-sharpen0.jpg",
    "-x-crop0_0_0_9.jpg",
    "-x-crop0_0_9_65536.jpg",
    "-65536x.jpg",
    "-x-rot45.jpg",
    "-x-rot360.jpg",
    "-9x9-cover-focus1001_1.jpg",
    # scales
    "-300x@0x.jpg",
    "-300x@0.5x.jpg",
    "-300x@4.1x.jpg",
    "-300x@5x.jpg",
    "-300x@2.25x.jpg",
    "-300x@2.x.jpg",
    "-300x@.5x.jpg",
    "-300x@2.jpg",
    "-300x.jpg@2x",
    "-300x@2x-gray.jpg",
    "-16384x@4x.tif",
    "-x-blur501@2x.jpg",
    "-x-sharpen67@1.5x.jpg",
    # no size, a size in another place, no format, other words
    "-q7.jpg",
    "-gray-300x.jpg",
    "-.jpg",
    "-300x",
    "-300x.",
    "-300x.jpe",
    "-300x.heic",
    "-300x.auto",
    ".auto",
    "-300x200-grey.jpg",
    "-300.jpg",
    "-300*200.jpg",
    "-x-bgfff.jpg",
    "-x--gray.jpg",
    "-x-gray-.jpg",
    "--x.jpg",
    "~512",
    "~0512",
]
"""What nobody forgives, written behind the ident."""

REQUESTS = {
    "-300X.AUTO": "-300x.auto",
    ".auto": "-x.auto",
    "-300x@2x.auto": "-600x.auto",
    "-x-q7-gray.auto": "-x-gray-q7.auto",
    "-9x9-cover-centre-srgb-rot0.auto": "-9x9-cover.auto",
    # what is a default of some formats only must be said
    "-x-q80.auto": "-x-q80.auto",
    "-x-q060.auto": "-x-q60.auto",
    "-x-page01.auto": "-x-page1.auto",
    "-x-bgFFFFFF.auto": "-x-bgffffff.auto",
}

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
OLD_SAFARI = "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,"
    "image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
)
BUNDLED = ("jpg", "png", "webp", "avif", "gif", "tif")

NEGOTIATED: list[tuple[str, str | None, set[str], str]] = [
    # the request, the Accept field, facts of the base, the answer
    ("300x", CHROME, set(), "300x.avif"),
    ("300x", SAFARI, set(), "300x.avif"),
    ("300x", OLD_SAFARI, set(), "300x.webp"),
    ("300x", None, set(), "300x.jpg"),
    ("300x", "*/*", set(), "300x.jpg"),
    ("300x", "image/*", {"alpha"}, "300x.png"),
    ("300x", "text/html", set(), "300x.jpg"),
    ("300x", "image/jxl,*/*", set(), "300x.jpg"),
    ("300x", "image/avif;q=0,image/webp", set(), "300x.webp"),
    ("300x", "image/avif;q=0.5,image/webp", set(), "300x.webp"),
    ("300x", "image/avif;q=0.5,image/webp;q=0.5", set(), "300x.avif"),
    ("300x", "image/webp;q=0.1,image/jpeg", set(), "300x.jpg"),
    ("300x", "IMAGE/WEBP ; Q=0.9", set(), "300x.webp"),
    ("300x", "image/webp;version=2", set(), "300x.jpg"),
    ("300x", CHROME, {"animated"}, "300x.webp"),
    ("300x", None, {"animated"}, "300x.gif"),
    ("300x", "image/avif,*/*", {"animated"}, "300x.gif"),
    ("300x-page1", CHROME, {"animated"}, "300x.avif"),
    ("300x-page1", OLD_SAFARI, {"animated"}, "300x-page1.webp"),
    ("300x-meta", None, {"animated"}, "300x-meta.jpg"),
    ("x-q60", CHROME, set(), "x.avif"),
    ("x-q60", OLD_SAFARI, set(), "x-q60.webp"),
    ("x-q80", CHROME, set(), "x-q80.avif"),
    ("x-q80", OLD_SAFARI, set(), "x.webp"),
    ("x-q60", None, {"alpha"}, "x.png"),
    ("x-bgffffff", None, set(), "x.jpg"),
    ("x-bgffffff", OLD_SAFARI, set(), "x-bgffffff.webp"),
    ("x-lossless", OLD_SAFARI, set(), "x-lossless.webp"),
    ("x-lossless", None, set(), "x.png"),
]
