from __future__ import annotations

import pytest

from derivproxy.derive.libvips import MINIMUM, LibvipsTooOldError, capabilities, libvips_version, require_libvips


def test_the_library_that_was_loaded_is_recent_enough() -> None:
    require_libvips(libvips_version())
    assert libvips_version() >= MINIMUM


def test_an_old_library_is_refused_with_the_remedy() -> None:
    with pytest.raises(LibvipsTooOldError, match=r"libvips 8\.14\.1 was loaded.*8\.17.*--force-reinstall"):
        require_libvips((8, 14, 1))
    require_libvips((*MINIMUM, 0))


def test_the_formats_of_the_wheel_are_read_and_written() -> None:
    able = capabilities()
    for formats in (able.reads, able.writes):
        assert {"jpg", "png", "webp", "avif", "gif", "tif"} <= set(formats)
