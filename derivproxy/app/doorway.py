"""The HTTP side put together: what answers in each process that has the listening socket."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from derivproxy import __version__
from derivproxy.app.markup import markup_within
from derivproxy.app.readiness import Readiness
from derivproxy.delivery import Delivery
from derivproxy.domain.derivation import DERIVATION_VERSION
from derivproxy.updates import Spool
from derivproxy.web import Caching, ImageRoute, ImagesApi, Operations, Page, Token, create_app

if TYPE_CHECKING:
    from derivproxy.app.data import DataFolder
    from derivproxy.app.rooms import Reading
    from derivproxy.delivery.needs import Run
    from derivproxy.web.front import Front
    from derivproxy.web.needs import Recover, Updates


def delivery_of(read: Reading, run: Run) -> Delivery:
    """The read path of a process."""
    return Delivery(
        tier=read.tier,
        kept=read.kept,
        bases=read.bases,
        run=run,
        facts=read.facts,
        status=read.status,
        spool=read.spool,
        log=read.log,
        expires_in=read.settings.derivative_expiry_seconds or None,
    )


def doorway(
    read: Reading, data: DataFolder, *, delivery: Delivery, updates: Updates, recover: Recover, token: str | None
) -> Front:
    """The service as an ASGI callable."""
    settings = read.settings
    public_url = settings.public_url or ""
    bearer = Token(token, remedy=_remedy(data, made=settings.token is None, on_loopback=settings.on_loopback))
    page = Page(
        catalogue=read.metadata,
        markup=markup_within(settings.policy),
        public_url=public_url,
        token_path=str(data.token_file.absolute()) if settings.token is None else "DERIVPROXY_TOKEN",
    )
    return create_app(
        image=ImageRoute(
            catalogue=read.metadata,
            delivery=delivery,
            recover=recover,
            policy=settings.policy,
            token=bearer,
            caching=Caching(max_age=settings.max_age, cdn_max_age=settings.cdn_max_age),
            version=DERIVATION_VERSION,
            public_url=public_url,
            clock=time.time,
        ),
        api=ImagesApi(
            catalogue=read.metadata,
            spool=Spool(read.spool),
            updates=updates,
            token=bearer,
            file_bytes=settings.limits.file_bytes,
            public_url=public_url,
        ),
        operations=Operations(
            readiness=Readiness(read.store, data.reached),
            catalogue=read.metadata,
            metrics=read.metrics,
            version=__version__,
        ),
        page=page if settings.page_shown else None,
        counters=read.metrics,
        log=read.log,
        access=structlog.get_logger().bind(part="access") if settings.log_level in ("debug", "info") else None,
    )


def _remedy(data: DataFolder, *, made: bool, on_loopback: bool) -> str:
    if not made:
        return "it is the one of DERIVPROXY_TOKEN"
    if on_loopback:
        return f"it is in {data.token_file.absolute()}"
    return "set DERIVPROXY_TOKEN or DERIVPROXY_TOKEN_FILE, and start it again"
