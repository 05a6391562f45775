"""ipx on Node's own HTTP server, reading files; it keeps no results. sharp gets the common encoder options."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from harness.children import free_port
from harness.contestants import Place, Server
from harness.paths import IPX

if TYPE_CHECKING:
    from harness.works import Work


class Ipx(Server):
    """``UV_THREADPOOL_SIZE`` stays at Node's 4: two threads a core on the machine these numbers are from."""

    name = "ipx"

    def __init__(self, place: Place) -> None:
        super().__init__(place, self.name)
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("node is not on the PATH")
        encoders, port = place.encoders, free_port()
        asked = (
            "const s = require('sharp').versions;"
            "console.log(require('./node_modules/ipx/package.json').version, 'sharp', s.sharp, 'libvips', s.vips)"
        )
        self.version = subprocess.run(
            [node, "-e", asked], cwd=IPX, check=True, capture_output=True, text=True
        ).stdout.strip()
        # ipx hands these to sharp's constructor and also assigns them to sharp's options, where encoders look.
        settings = {
            "modules": str(IPX),
            "photos": str(place.photos),
            "port": port,
            "sharp": {
                "failOn": "error",
                "autoOrient": True,
                "jpegProgressive": False,
                "jpegChromaSubsampling": "4:2:0",
                "jpegOptimiseCoding": encoders.jpg_optimised,
                "webpEffort": encoders.webp_effort,
                "heifEffort": encoders.avif_effort,
                "heifChromaSubsampling": "4:2:0",
                "pngCompressionLevel": encoders.png_compression,
                "pngAdaptiveFiltering": encoders.png_all_filters,
            },
        }
        program = Path(__file__).with_name("ipx_server.mjs")
        env = {"MALLOC_ARENA_MAX": "2", "NODE_ENV": "production"}
        self.start([node, program, json.dumps(settings)], port, env)

    def path(self, work: Work, box_height: int) -> str:
        quality = self.place.encoders.quality(work.suffix)
        # "box" means nothing to ipx; it only makes the path new.
        parts = [f"w_{work.width}", f"f_{work.suffix}", f"box_{box_height}", *([f"q_{quality}"] if quality else [])]
        return f"/{','.join(parts)}/{work.photo.file}"
