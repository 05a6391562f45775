from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.config import Page, values


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        ("0", 0),
        (67_108_864, 67_108_864),
        ("64MiB", 64 * 2**20),
        ("64 mib", 64 * 2**20),
        ("1GB", 10**9),
        ("1.5GB", 1_500_000_000),
        ("2kB", 2_000),
        ("1TiB", 2**40),
        ("12b", 12),
    ],
)
def test_a_size_is_read_with_its_unit(raw: object, size: int) -> None:
    assert values.byte_size(0)(raw) == size


@pytest.mark.parametrize(
    "raw", ["", "-1", "64 M", "MiB", "1e6", "٣", "1.", "64MiBs", True, None, 1.5e-7, ["1"], "9" * 19]
)
def test_what_is_no_size_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match=r"no size|not a text"):
        values.byte_size(0)(raw)


def test_a_size_below_the_least_is_refused() -> None:
    assert values.byte_size(1)("1") == 1
    with pytest.raises(ValueError, match="less than 1 bytes"):
        values.byte_size(1)("0")


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [("10", 10), (2.5, 2.5), ("10s", 10), ("5m", 300), ("12h", 43_200), ("30d", 2_592_000), ("0.5", 0.5)],
)
def test_a_time_is_read_with_its_unit(raw: object, seconds: float) -> None:
    assert values.seconds(0)(raw) == seconds


@pytest.mark.parametrize("raw", ["", "ten", "-1", "10 w", "nan", "inf", "1e3", False, "5M"])
def test_what_is_no_time_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match=r"no length of time|not a text"):
        values.seconds(0)(raw)


def test_a_limit_in_seconds_cannot_be_zero_and_an_age_has_no_fraction() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        values.seconds(0, exclusive=True)("0")
    with pytest.raises(ValueError, match="whole seconds"):
        values.whole_seconds("0.5")


@pytest.mark.parametrize("raw", ["", "1.0", "0x10", "1_000", "eighty", True, "-1", "65536", "٣"])
def test_what_is_no_port_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match=r"whole number from 0 to 65535|not a text"):
        values.whole(0, 65_535)(raw)


def test_a_choice_is_one_of_its_words_and_toml_may_say_true() -> None:
    parse = values.choice(Page)
    raws: list[object] = ["on", "OFF", True, False]
    assert [parse(raw) for raw in raws] == [Page.ON, Page.OFF, Page.ON, Page.OFF]
    with pytest.raises(ValueError, match="none of: auto, on, off"):
        parse("yes")


def test_a_home_folder_is_meant_by_a_tilde() -> None:
    assert values.folder("~/images") == Path.home() / "images"
    with pytest.raises(ValueError, match="URL"):
        values.folder("file:///srv")


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("https://images.example.org", "https://images.example.org"),
        ("http://images.example.org:8080/i/", "http://images.example.org:8080/i"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_public_url_is_kept_without_its_last_slash(raw: str, url: str) -> None:
    assert values.public_url(raw) == url


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("images.example.org", "no http"),
        ("ftp://images.example.org", "no http"),
        ("https://", "no http"),
        ("https://[::1", "no http"),
        ("https://a:port", "no http"),
        ("https://a/ b", "no http"),
        ('https://a/"', "no http"),
        ("https://a/?x=1", "query"),
        ("https://a/?", "query"),
        ("https://a/#top", "fragment"),
        ("https://me:pw@a/", "password"),
    ],
)
def test_a_public_url_that_names_cannot_follow_is_refused(raw: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        values.public_url(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("/srv/images", "no store URL"),
        ("file://images", "three slashes"),
        ("file://", "no store URL"),
        ("swift://me:pw@place", "password"),
    ],
)
def test_a_store_url_that_cannot_be_is_refused(raw: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        values.store_url(raw)


@given(
    st.lists(st.binary(min_size=16, max_size=40), min_size=1, max_size=4, unique=True),
    st.sampled_from([",", " ", ", "]),
)
def test_signing_keys_are_read_in_their_order(keys: list[bytes], between: str) -> None:
    assert values.signing_keys(between.join(key.hex() for key in keys)) == tuple(keys)
    assert values.signing_keys([key.hex().upper() for key in keys]) == tuple(keys)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "number 1. that is not hex"),
        ("aa" * 15, "15 bytes"),
        ("aa" * 16 + ",xyz", "number 2. that is not hex"),
        ("aa" * 16 + "a", "not hex"),
        ("aa" * 16 + "," + "AA" * 16, "number 2. twice"),
    ],
)
def test_a_signing_key_that_is_none_is_refused_without_being_shown(raw: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        values.signing_keys(raw)
    assert "aaaa" not in str(refusal.value)
