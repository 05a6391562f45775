"""The machine's one engine, reached over a Unix socket."""

from __future__ import annotations

from derivproxy.engine.client import EngineClient
from derivproxy.engine.face import engine_face
from derivproxy.engine.purges import Purges

__all__ = ["EngineClient", "Purges", "engine_face"]
