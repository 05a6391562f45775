"""Every setting, once: its name, what it takes, its default in words, its help.

Flags, variables, TOML keys, the table in the documentation and ``config show`` are all made of this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from derivproxy.config import values
from derivproxy.config.settings import LogFormat, LogLevel, Page
from derivproxy.domain.limits import Limits
from derivproxy.domain.policy import Bases, SizePolicy

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PROCESSES = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting. *default* is for people; *limit* is the field of ``Limits`` it fills; a *secret* is never shown."""

    name: str
    parse: Callable[[object], Any]
    default: str
    help: str
    metavar: str
    secret: bool = False
    limit: str | None = None
    in_file: bool = True

    @property
    def flag(self) -> str:
        """``--memory-tier-bytes``."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """``DERIVPROXY_MEMORY_TIER_BYTES``."""
        return "DERIVPROXY_" + self.name.upper()


def _sizes(raw: object) -> SizePolicy:
    words = raw if isinstance(raw, list | tuple) else re.split(r"[\s,]+", values.text(raw))
    return SizePolicy.parse([values.text(word) for word in words if word != ""])


def _limit(field_name: str, parse: Callable[[object], Any], metavar: str, help_text: str) -> Setting:
    default = next(field.default for field in fields(Limits) if field.name == field_name)
    return Setting(
        name=f"max_{field_name}",
        parse=parse,
        default=f"{default:g}" if isinstance(default, float) else str(default),
        help=help_text,
        metavar=metavar,
        limit=field_name,
    )


def settings_table() -> tuple[Setting, ...]:
    """All settings, in the order people read them."""
    return (
        Setting(
            name="config",
            parse=values.folder,
            default="none",
            metavar="FILE",
            help="A TOML file of settings; flags and variables come before it.",
            in_file=False,
        ),
        Setting(
            name="host",
            parse=values.text,
            default="127.0.0.1",
            metavar="ADDRESS",
            help="The address to listen on; 0.0.0.0 or :: for all.",
        ),
        Setting(
            name="port",
            parse=values.whole(0, 65_535),
            default="8080",
            metavar="PORT",
            help="The port to listen on; 0 for any free one.",
        ),
        Setting(
            name="workers",
            parse=values.whole(1, MAX_PROCESSES),
            default="1",
            metavar="N",
            help="Processes that answer HTTP.",
        ),
        Setting(
            name="data",
            parse=values.folder,
            default="data",
            metavar="DIR",
            help="The folder of local state; DIR/local is always safe to delete while nothing runs.",
        ),
        Setting(
            name="store",
            parse=values.store_url,
            default="file://DATA/store",
            metavar="URL",
            help="Where bases and derivatives are kept: file:///srv/images, with the folder images in it.",
        ),
        Setting(
            name="token",
            parse=values.token,
            default="on loopback made at the first start, kept in DATA/token; elsewhere none: writes are refused",
            metavar="TOKEN",
            help="The secret that allows writing, sent as Authorization: Bearer.",
            secret=True,
        ),
        Setting(
            name="public_url",
            parse=values.public_url,
            default="the address a request came to",
            metavar="URL",
            help="What URLs and redirects begin with.",
        ),
        Setting(
            name="sizes",
            parse=_sizes,
            default="open; none where there are signing keys",
            metavar="SUFFIXES",
            help="Suffixes that need no signature: 320x.jpg, or 320x.* for every format; or open; or none.",
        ),
        Setting(
            name="signing_keys",
            parse=values.signing_keys,
            default="none",
            metavar="HEX,…",
            help="Keys of at least 16 bytes in hex, by commas; the first signs, all verify.",
            secret=True,
        ),
        Setting(
            name="bases",
            parse=values.choice(Bases),
            default="closed",
            metavar="open|closed",
            help="Whether bases and -meta derivatives, which can tell where a photo was taken, are for everybody.",
        ),
        Setting(
            name="max_age",
            parse=values.whole_seconds,
            default="31536000",
            metavar="SECONDS",
            help="How long browsers may keep an image.",
        ),
        Setting(
            name="cdn_max_age",
            parse=values.whole_seconds,
            default="not sent",
            metavar="SECONDS",
            help="How long a CDN may keep an image, as CDN-Cache-Control.",
        ),
        Setting(
            name="page",
            parse=values.choice(Page),
            default="auto",
            metavar="auto|on|off",
            help="The page of all images at /; auto shows it on loopback only.",
        ),
        Setting(
            name="memory_tier_bytes",
            parse=values.byte_size(0),
            default="64MiB",
            metavar="BYTES",
            help="Derivatives kept in the memory of each worker; 0 for none.",
        ),
        Setting(
            name="disk_tier_bytes",
            parse=values.byte_size(0),
            default="0",
            metavar="BYTES",
            help="Derivatives kept on this machine's disk, for a store that is far away; 0 for none.",
        ),
        Setting(
            name="store_budget_bytes",
            parse=values.byte_size(0),
            default="0",
            metavar="BYTES",
            help="Derivatives kept in the store, beyond which the least recently used are evicted; 0 for no bound.",
        ),
        Setting(
            name="derivative_expiry_seconds",
            parse=values.seconds(0),
            default="0",
            metavar="SECONDS",
            help="How long the store keeps a derivative; 0 for ever.",
        ),
        Setting(
            name="processes",
            parse=values.whole(1, MAX_PROCESSES),
            default="the CPUs this program may use",
            metavar="N",
            help="Processes that decode and encode.",
        ),
        Setting(
            name="slots",
            parse=values.whole(1, 16 * MAX_PROCESSES),
            default="2 x processes",
            metavar="N",
            help="Derivations admitted at once, fetching included, so that fetches overlap derivations.",
        ),
        Setting(
            name="queue",
            parse=values.whole(0, 1_000_000),
            default="64 x processes",
            metavar="N",
            help="Derivations that may wait for a slot; the next one is answered 503.",
        ),
        _limit("file_bytes", values.byte_size(1), "BYTES", "The largest file that is taken in."),
        _limit("pixels", values.whole(1), "PIXELS", "Pixels x frames of an image that is taken in."),
        _limit("frames", values.whole(1), "N", "Frames or pages of an image that is taken in."),
        _limit("side", values.whole(1), "PIXELS", "The longest side of an image that is taken in."),
        _limit("bands", values.whole(1), "N", "Bands (channels) of an image that is taken in."),
        _limit("scans", values.whole(1), "N", "Scans of a JPEG."),
        _limit("scan_pixels", values.whole(1), "PIXELS", "Scans x pixels of a JPEG."),
        _limit("text_bytes", values.byte_size(0), "BYTES", "Text chunks of a PNG; what is beyond is dropped."),
        _limit("profile_bytes", values.byte_size(0), "BYTES", "An ICC profile, decompressed; a larger one is dropped."),
        _limit("output_pixels", values.whole(1), "PIXELS", "Pixels x frames of a derivative."),
        _limit(
            "seconds", values.seconds(0, exclusive=True), "SECONDS", "How long one derivation or examination may take."
        ),
        _limit("memory_bytes", values.byte_size(256 * 2**20), "BYTES", "Address space of one deriving process."),
        Setting(
            name="log_format",
            parse=values.choice(LogFormat),
            default="json",
            metavar="json|console",
            help="One JSON line an event, or lines for people.",
        ),
        Setting(
            name="log_level",
            parse=values.choice(LogLevel),
            default="info",
            metavar="debug|info|warning|error",
            help="The least important events that are logged.",
        ),
        Setting(
            name="graceful_seconds",
            parse=values.seconds(0),
            default="8",
            metavar="SECONDS",
            help="How long requests under way may take to end when the service stops.",
        ),
        Setting(
            name="grace_seconds",
            parse=values.seconds(0),
            default="48h",
            metavar="SECONDS",
            help="How old an object must be before reconcile judges it: its row may be on its way.",
        ),
    )
