from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derivproxy.domain.errors import NotAllowed
from derivproxy.domain.policy import Bases, Policy, SizePolicy, sign
from grammar import Base, Derivative, Name, parse

IDENT = "c0ffee" + "0" * 58
KEY, OLD, OTHER = b"k" * 16, b"o" * 16, b"x" * 16
NOW = 1_700_000_000.0
JPG = f"{IDENT}-320x.jpg"


def ask(
    policy: Policy, text: str, query: str = "", *, token: bool = False, private: bool = False, now: float = NOW
) -> bool | str:
    """What the policy says: whether it is let through for this asker alone, or why not at all."""
    name: Name = parse(text.replace(".auto", ".webp"))
    try:
        return policy.authorise(name, text, query.encode("utf-8"), token_ok=token, private=private, now=now)
    except NotAllowed as refusal:
        return refusal.detail


def signed(sizes: str = "none", *keys: bytes, bases: Bases = Bases.CLOSED) -> Policy:
    return Policy(sizes=SizePolicy.parse(sizes.split()), keys=keys or (KEY, OLD), bases=bases)


@pytest.mark.parametrize(
    ("sizes", "suffix", "free"),
    [
        ("open", "320x.jpg", True),
        ("open", "320x.auto", True),
        ("none", "320x.jpg", False),
        ("320x.jpg", "320x.jpg", True),
        ("320x.jpg", "320x.webp", False),
        ("320x.jpg", "320x.auto", False),
        ("320x.jpg", "3200x.jpg", False),
        ("320x.auto", "320x.auto", True),
        ("320x.auto", "320x.webp", False),
        ("320x.*", "320x.jpg", True),
        ("320x.*", "320x.avif", True),
        ("320x.*", "320x.auto", True),
        ("320x.*", "x320.jpg", False),
        ("320x.*", "320x-gray.jpg", False),
        ("320x.* 160x160-cover-smart.*", "160x160-cover-smart.png", True),
        ("320x-lossless.*", "320x-lossless.webp", True),
    ],
)
def test_a_suffix_is_free_where_it_is_listed(sizes: str, suffix: str, free: bool) -> None:  # noqa: FBT001
    text = f"{IDENT}-{suffix}"
    answer = ask(signed(sizes), text)
    assert answer is False if free else "not among the listed sizes" in str(answer)
    assert ask(signed(sizes), text, sign(text, KEY)) is False
    assert ask(signed(sizes), text, token=True) is (not free)


@pytest.mark.parametrize(
    ("text", "bases", "free"),
    [
        (IDENT, Bases.CLOSED, False),
        (IDENT, Bases.OPEN, True),
        (f"{IDENT}-320x-meta.jpg", Bases.CLOSED, False),
        (f"{IDENT}-320x-meta.jpg", Bases.OPEN, True),
        (f"{IDENT}-320x-copyright.jpg", Bases.CLOSED, True),
        (f"{IDENT}-320x-meta.auto", Bases.CLOSED, False),
    ],
)
def test_bases_and_derivatives_with_all_metadata_are_closed_unless_opened(text: str, bases: Bases, free: bool) -> None:  # noqa: FBT001
    policy = Policy(sizes=SizePolicy(everything=True), bases=bases, keys=(KEY,))
    answer = ask(policy, text)
    assert answer is False if free else "closed" in str(answer)
    assert ask(policy, text, sign(text, KEY)) is (not free)
    assert ask(policy, text, token=True) is (not free)


def test_open_bases_open_no_sizes() -> None:
    assert "not among" in str(ask(signed("none", bases=Bases.OPEN), f"{IDENT}-320x-meta.jpg"))
    assert ask(signed("none", bases=Bases.OPEN), IDENT) is False


@pytest.mark.parametrize("text", [IDENT, JPG, f"{IDENT}-320x.auto"])
def test_every_name_of_a_private_image_needs_the_token_or_a_signature(text: str) -> None:
    policy = signed("open", bases=Bases.OPEN)
    assert "private" in str(ask(policy, text, private=True))
    assert ask(policy, text, private=True, token=True) is True
    assert ask(policy, text, sign(text, KEY), private=True) is True


def test_a_signature_is_the_start_of_an_hmac_over_the_name_as_unpadded_base64url() -> None:
    digest = hmac.new(KEY, JPG.encode(), hashlib.sha256).digest()[:16]
    assert sign(JPG, KEY) == "s=" + base64.urlsafe_b64encode(digest).decode().strip("=")
    assert len(sign(JPG, KEY)) == 24
    digest = hmac.new(KEY, f"{JPG}?e=1700000000".encode(), hashlib.sha256).digest()[:16]
    assert sign(JPG, KEY, 1_700_000_000) == "e=1700000000&s=" + base64.urlsafe_b64encode(digest).decode().strip("=")


@pytest.mark.parametrize("key", [KEY, OLD])
def test_the_first_key_and_those_behind_it_verify(key: bytes) -> None:
    assert ask(signed(), JPG, sign(JPG, key)) is False


@pytest.mark.parametrize(
    "query",
    [
        sign(JPG, OTHER),
        sign(JPG, KEY)[:-1],
        sign(JPG, KEY) + "=",
        sign(JPG, KEY) + "==",
        sign(JPG, KEY).swapcase(),
        sign(JPG, KEY).replace("s=", "S="),
        sign(JPG, KEY).replace("s=", "s=%20"),
        sign(f"{IDENT}-321x.jpg", KEY),
        sign(f"{IDENT}-320x.auto", KEY),
        sign(JPG, KEY, 1_800_000_000).split("&")[1],
        sign(JPG, KEY, 1_800_000_000).replace("e=18", "e=19"),
        sign(JPG, KEY) + "&e=1800000000",
        "s=é",
        "s=\N{FULLWIDTH LATIN CAPITAL LETTER A}",
        "s=",
        "s",
        "",
    ],
)
def test_a_signature_that_is_not_the_names_lets_nobody_through(query: str) -> None:
    answer = ask(signed(), JPG, query)
    assert isinstance(answer, str)
    assert JPG in answer
    assert "sign the name" in answer


def test_caches_may_keep_what_a_lasting_signature_lets_through_for_a_public_image() -> None:
    policy, meta = signed(), f"{IDENT}-320x-meta.jpg"
    assert ask(policy, JPG, sign(JPG, KEY)) is False
    assert ask(policy, JPG, sign(JPG, KEY, int(NOW))) is True, "a cache would outlive it"
    assert ask(policy, JPG, token=True) is True
    assert ask(policy, JPG, sign(JPG, KEY), private=True) is True
    for revealing in (IDENT, meta):
        assert ask(policy, revealing, sign(revealing, KEY)) is True


def test_the_last_bits_of_a_signature_have_one_spelling() -> None:
    # 22 characters hold 132 bits for 128: decoded instead of compared as text, 16 spellings would do.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = sign(JPG, KEY)
    passing = [good[:-1] + last for last in alphabet if ask(signed(), JPG, good[:-1] + last) is False]
    assert passing == [good]


def test_an_expiring_signature_is_good_until_then() -> None:
    query = sign(JPG, OLD, int(NOW))
    assert ask(signed(), JPG, query, now=NOW - 1) is True
    assert ask(signed(), JPG, query, now=NOW) is True
    assert "was good until e=1700000000" in str(ask(signed(), JPG, query, now=NOW + 0.001))
    swapped = "&".join(reversed(query.split("&")))
    assert ask(signed(), JPG, swapped, now=NOW) is True


@pytest.mark.parametrize("expires", ["", "0", "-1", "1e9", "01700000000", "9" * 13, "\N{ARABIC-INDIC DIGIT ONE}", "1 "])
def test_an_expiry_that_is_no_time_is_refused(expires: str) -> None:
    digest = hmac.new(KEY, f"{JPG}?e={expires}".encode(), hashlib.sha256).digest()[:16]
    signature = base64.urlsafe_b64encode(digest).decode().strip("=")
    assert "no Unix time" in str(ask(signed(), JPG, f"e={expires}&s={signature}"))


def test_an_expiry_that_is_no_time_is_not_signed() -> None:
    for expires in (0, -1, 10**12):
        with pytest.raises(ValueError, match="no Unix time"):
            sign(JPG, KEY, expires)


@pytest.mark.parametrize("more", ["s=x", "s", "e=1", "e=1&e=2"])
def test_what_is_given_twice_is_refused(more: str) -> None:
    query = f"{sign(JPG, KEY, 1_800_000_000)}&{more}"
    assert "given twice" in str(ask(signed(), JPG, query))
    assert "given twice" in str(ask(signed(), JPG, "&".join(reversed(query.split("&")))))


@pytest.mark.parametrize("query", ["a=b", "utm_source=x&", "&&", "%73=x", "ss=1", "=", "s%3Dx"])
def test_any_other_query_is_ignored(query: str) -> None:
    assert ask(signed("320x.jpg"), JPG, query) is False
    assert ask(signed(), JPG, f"{query}&{sign(JPG, KEY)}") is False


def test_a_listed_suffix_needs_no_signature_and_minds_no_wrong_one() -> None:
    assert ask(signed("320x.jpg"), JPG, "s=wrong") is False


def test_without_keys_nothing_is_signed_and_the_remedy_does_not_speak_of_it() -> None:
    policy = Policy(sizes=SizePolicy())
    answer = ask(policy, JPG, sign(JPG, b""))
    assert "Authorization: Bearer" in str(answer)
    assert "sign the name" not in str(answer)


def test_keys_are_not_in_what_is_printed() -> None:
    assert "kkkk" not in repr(signed())


@given(st.sampled_from([JPG, IDENT, f"{IDENT}-x.webp"]), st.binary(max_size=60))
def test_no_query_lets_anybody_through_by_chance(text: str, query: bytes) -> None:
    with pytest.raises(NotAllowed):
        signed().authorise(parse(text), text, query, token_ok=False, private=False, now=NOW)
    with pytest.raises(NotAllowed):
        signed().authorise(parse(text), text, b"s=" + query, token_ok=False, private=False, now=NOW)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "names no suffix"),
        (["open", "320x.jpg"], "'open' among suffixes"),
        (["320x.jpg", "none"], "'none' among suffixes"),
        (["-320x.jpg"], "without its leading dash"),
        (["-320x.*"], "without its leading dash"),
        (["320x"], "'320x'"),
        (["320.jpg"], "no suffix"),
        (["0320x.jpg"], "no suffix"),
        (["320x.jpeg"], "no suffix"),
        (["320x-q80.jpg"], "no suffix"),
        (["*"], r"'\*'"),
        (["*.jpg"], "no suffix"),
        ([".*"], "fits no format"),
        (["320x-cover.*"], "fits no format"),
        (["320x.auto.*"], "fits no format"),
        ([IDENT], "no suffix"),
    ],
)
def test_a_list_with_something_that_is_no_suffix_is_refused(words: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SizePolicy.parse(words)


@pytest.mark.parametrize("words", [["open"], ["none"], ["320x.*", "640x.auto", "x.jpg"]])
def test_a_size_policy_can_be_written_down_again(words: list[str]) -> None:
    policy = SizePolicy.parse(words)
    assert SizePolicy.parse(str(policy).split(",")) == policy


def test_bases_are_values_of_the_grammar() -> None:
    assert isinstance(parse(IDENT), Base)
    assert isinstance(parse(JPG), Derivative)
