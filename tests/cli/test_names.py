from __future__ import annotations

import re
import time

import pytest

from derivproxy.domain.policy import Policy, SizePolicy
from grammar import parse
from tests.app.server import SAMPLES
from tests.cli.running import IDENT, call

PHOTO = SAMPLES / "astronaut.png"


@pytest.mark.parametrize("suffix", ["300x.jpg", "-300x.jpg", "300X.JPEG", "0300x.jpg"])
def test_url_names_a_derivative_of_a_file_however_its_suffix_is_typed(suffix: str) -> None:
    done = call("url", PHOTO, suffix)
    assert (done.code, done.out) == (0, f"http://127.0.0.1:8080/{IDENT}-300x.jpg\n")


def test_url_takes_an_ident_and_the_settings_of_the_server() -> None:
    assert call("url", IDENT, "x.auto", DERIVPROXY_PORT="81").out == f"http://127.0.0.1:81/{IDENT}-x.auto\n"
    assert call("url", IDENT, "x.png", DERIVPROXY_HOST="::").out == f"http://[::1]:8080/{IDENT}-x.png\n"
    assert call("url", IDENT, "x.png", "--public-url", "https://img.example/a").out.startswith("https://img.example/a/")


def test_url_signs_so_that_the_server_lets_it_through() -> None:
    key = "00112233445566778899aabbccddeeff"
    expires = int(time.time()) + 60
    done = call("url", IDENT, "300x.jpg", "--expires", expires, DERIVPROXY_SIGNING_KEYS=key)
    name, _, query = done.out.strip().rpartition("/")[2].partition("?")
    policy = Policy(sizes=SizePolicy(), keys=(bytes.fromhex(key),))
    assert f"e={expires}" in query
    assert policy.authorise(parse(name), name, query.encode(), token_ok=False, private=False, now=expires)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("url", "no-such-file", "300x.jpg"), "'no-such-file' is neither a file nor an ident"),
        (("url", IDENT, "300x.bmp"), "'300x.bmp' is no suffix\n  300x.bmp\n      ^\nat position 4 '.bmp' stands"),
        (("url", IDENT, "300x.jpg", "--expires", "9"), "DERIVPROXY_SIGNING_KEYS"),
        (("url", IDENT, "300x.jpg", "--expires", "soon"), "'soon' is not a valid integer"),
        (("url", IDENT, "300x.jpg", "--public-url", "images"), "https://images.example.org"),
        (("url", IDENT), "Missing argument 'SUFFIX'"),
        (("srcset", IDENT, "--widths", "wide"), "--widths 'wide': write whole numbers"),
        (("srcset", IDENT, "--widths", "0"), "--widths '0'"),
        (("srcset", IDENT, "--formats", "webp,bmp"), "'bmp' is no format; there are jpg, png"),
        (("srcset", IDENT, "--base-size", "big"), "write it like 4000x3000"),
        (("srcset", IDENT, "--suffix", "300x200.jpg"), "leave one side open"),
        (("explain",), "Missing argument"),
    ],
)
def test_what_is_asked_wrongly_is_named_with_the_remedy(arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert done.code == 2
    assert said in done.err
    assert done.out == ""


def test_srcset_prints_markup_that_promises_no_width_the_image_does_not_have() -> None:
    done = call(
        "srcset", PHOTO, "--widths", "100, 900", "--formats", "webp,jpg", "--base-size", "512x512", "--alt", '"E"'
    )
    assert done.code == 0
    assert re.findall(r" (\d+)w", done.out) == ["100", "512"] * 2
    assert f'src="http://127.0.0.1:8080/{IDENT}-512x.jpg"' in done.out
    assert 'alt="&quot;E&quot;" width="512" height="512"' in done.out


def test_explain_reads_every_option_aloud() -> None:
    suffix = (
        "300x200-page2-crop1_2_30_40-cover-focus333_250-flip-rot90-gray-blur5-sharpen10-bg1e1e1e-copyright-q70.webp"
    )
    done = call("explain", f"https://img.example/{IDENT}-{suffix}?s=x")
    assert done.code == 0
    rows = dict(re.split(r"\s{2,}|(?<=^background) ", line, maxsplit=1) for line in done.out.splitlines())
    assert rows == {
        "base": IDENT,
        "size": "300 x 200 pixels",
        "format": "webp",
        "page": "2",
        "crop": "30 x 40 pixels from 1, 2 of the upright base",
        "fit": "cover",
        "anchor": "the point 33.3 %, 25 % of the upright base",
        "flip": "yes",
        "rotate": "90",
        "tone": "gray",
        "blur": "sigma 0.5 output pixels",
        "sharpen": "sigma 1 output pixels",
        "background": "1e1e1e",
        "keep": "copyright",
        "quality": "70",
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"{IDENT}", "as it was put in"),
        (f"/{IDENT}-300x.jpg", "300 pixels wide"),
        (f"{IDENT}-x30.avif", "60, the default of avif"),
        (f"{IDENT}-x.png", "natural"),
        (f"{IDENT}-9x9-cover-smart.gif", "most eye-catching"),
        (f"{IDENT}-300X.jpeg", f"another spelling of {IDENT}-300x.jpg"),
    ],
)
def test_explain_knows_all_kinds_of_names(name: str, said: str) -> None:
    done = call("explain", name)
    assert done.code == 0
    assert said in done.out


def test_explain_names_no_format_where_the_asker_decides() -> None:
    done = call("explain", f"{IDENT}-40x.auto")
    assert "the best that the asker's Accept allows" in done.out
    assert "webp" not in done.out


def test_explain_points_at_what_is_wrong() -> None:
    done = call("explain", f"{IDENT}-300x.bmp")
    assert done.code == 1
    assert done.out.splitlines() == [f"{IDENT}-300x.bmp", " " * 69 + "^"]
    assert "at position 69 '.bmp' stands" in done.err
