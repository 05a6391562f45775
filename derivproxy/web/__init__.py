"""HTTP: the image route, the interface, the page, metrics."""

from __future__ import annotations

from derivproxy.web.api import ImagesApi
from derivproxy.web.headers import Caching
from derivproxy.web.image import ImageRoute
from derivproxy.web.metrics import Metrics
from derivproxy.web.operations import Operations
from derivproxy.web.page import Page
from derivproxy.web.routes import create_app
from derivproxy.web.tokens import Token

__all__ = ["Caching", "ImageRoute", "ImagesApi", "Metrics", "Operations", "Page", "Token", "create_app"]
