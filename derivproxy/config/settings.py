"""The settings as one frozen value. What each means to people stands in ``table.py``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from derivproxy.domain.limits import Limits
from derivproxy.domain.policy import Bases, Policy, SizePolicy

MIB = 2**20


class Page(StrEnum):
    """Whether the page of images is at ``/``."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class LogFormat(StrEnum):
    """How an event is written down."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least important events written down."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an installation chooses.

    The values here are the defaults, but for those that depend on others or on the machine (*store*, *sizes*,
    *processes*, *slots*, *queue*), which loading fills in. Sizes in bytes, times in seconds.
    """

    config: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    data: Path = Path("data")
    store: str = ""
    token: str | None = field(default=None, repr=False)
    public_url: str | None = None
    sizes: SizePolicy = field(default_factory=lambda: SizePolicy(everything=True))
    signing_keys: tuple[bytes, ...] = field(default=(), repr=False)
    bases: Bases = Bases.CLOSED
    max_age: int = 31_536_000
    cdn_max_age: int | None = None
    page: Page = Page.AUTO
    memory_tier_bytes: int = 64 * MIB
    disk_tier_bytes: int = 0
    store_budget_bytes: int = 0
    derivative_expiry_seconds: float = 0.0
    processes: int = 1
    slots: int = 2
    queue: int = 64
    limits: Limits = field(default_factory=Limits)
    log_format: LogFormat = LogFormat.JSON
    log_level: LogLevel = LogLevel.INFO
    graceful_seconds: float = 8.0
    grace_seconds: float = 172_800.0

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach *host*."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def page_shown(self) -> bool:
        """Whether ``/`` answers with the page: as set, and on loopback only where nothing is."""
        return self.on_loopback if self.page is Page.AUTO else self.page is Page.ON

    @property
    def policy(self) -> Policy:
        """Who may ask for which name."""
        return Policy(sizes=self.sizes, bases=self.bases, keys=self.signing_keys)
