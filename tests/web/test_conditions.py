from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from derivproxy.web.conditions import etag, matches_strongly, matches_weakly, tags

IDENT = "0123456789abcdef" * 4
TAG = etag(f"{IDENT}-300x.jpg", 1)

opaque = st.binary(max_size=8).map(lambda data: b'"' + bytes(c for c in data if c not in b'"\x7f' and c > 32) + b'"')
members = st.builds(lambda weak, tag: (b"W/" if weak else b"") + tag, st.booleans(), opaque)


def test_a_tag_tells_suffixes_versions_and_images_apart() -> None:
    given_tags = [
        etag(f"{IDENT}-300x.jpg", 1),
        etag(f"{IDENT}-300x.jpg", 2),
        etag(f"{IDENT}-300x.webp", 1),
        etag("f" * 64 + "-300x.jpg", 1),
        etag(IDENT, 0),
    ]
    assert len(set(given_tags)) == 5
    assert all(tags(tag) == [tag] for tag in given_tags)


@given(st.lists(members, min_size=1), st.data())
def test_every_member_of_a_list_is_found(listed: list[bytes], data: st.DataObject) -> None:
    separators = data.draw(
        st.lists(st.sampled_from([b",", b", ", b" ,\t", b",,"]), min_size=len(listed), max_size=len(listed))
    )
    field = b"".join(tag + separator for tag, separator in zip(listed, separators, strict=True))
    assert tags(field) == listed
    for tag in listed:
        strong = tag.removeprefix(b"W/")
        assert matches_weakly(field, strong)
        assert matches_strongly(field, strong) == (strong in listed)


@given(st.binary(max_size=60))
def test_nonsense_is_no_match_and_no_error(field: bytes) -> None:
    if TAG not in field:
        assert not matches_weakly(field, TAG)
        assert matches_strongly(field, TAG) == (field.strip() == b"*")


def test_a_weak_tag_is_good_for_not_modified_and_never_for_a_range() -> None:
    assert matches_weakly(b"W/" + TAG, TAG)
    assert not matches_strongly(b"W/" + TAG, TAG)


def test_a_tag_inside_another_is_no_match() -> None:
    assert not matches_weakly(b'"x' + TAG[1:], TAG)
