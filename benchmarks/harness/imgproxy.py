"""imgproxy, where ``IMGPROXY=path`` names a finished program. It keeps no results."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from harness.children import free_port
from harness.contestants import Place, Server

if TYPE_CHECKING:
    from pathlib import Path

    from harness.works import Work


class Imgproxy(Server):
    """It optimises Huffman tables and jumps to shrink 8 on load; neither is an option."""

    name = "imgproxy"

    def __init__(self, place: Place, program: Path) -> None:
        super().__init__(place, self.name)
        said = subprocess.run([program, "version"], check=False, capture_output=True, text=True, timeout=30)
        self.version = said.stdout.strip() or "of unknown version"
        encoders = place.encoders
        port = free_port()
        env = {
            "IMGPROXY_BIND": f"127.0.0.1:{port}",
            "IMGPROXY_LOCAL_FILESYSTEM_ROOT": str(place.photos),
            "IMGPROXY_MAX_SRC_RESOLUTION": "50",
            "IMGPROXY_FORMAT_QUALITY": (
                f"jpeg={encoders.jpg_quality},webp={encoders.webp_quality},avif={encoders.avif_quality}"
            ),
            "IMGPROXY_WEBP_EFFORT": str(encoders.webp_effort),
            "IMGPROXY_AVIF_SPEED": str(encoders.avif_speed),
            "IMGPROXY_STRIP_METADATA": "true",
            "IMGPROXY_JPEG_PROGRESSIVE": "false",
            "IMGPROXY_LOG_LEVEL": "error",
            "MALLOC_ARENA_MAX": "2",
            "VIPS_WARNING": "0",
        }
        self.start([program], port, env)

    def path(self, work: Work, box_height: int) -> str:
        return f"/unsafe/rs:fit:{work.width}:{box_height}/plain/local:///{work.photo.file}@{work.suffix}"
