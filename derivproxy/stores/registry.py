"""Which provider opens which address: the scheme of a URL names it, entry points bring it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from derivproxy.stores.checks import check_container
from derivproxy.stores.errors import BadStore

if TYPE_CHECKING:
    from derivproxy.stores.interface import Store

GROUP = "derivproxy.stores"
"""The group of entry points: a scheme, and a factory ``(url, container, **options) -> Store``."""

Factory = Callable[..., "Store"]
Providers = Mapping[str, Callable[[], Factory]]


def installed_providers() -> Providers:
    """The providers of all installed distributions, by scheme; each is imported when it is called for."""
    return {point.name: point.load for point in entry_points(group=GROUP)}


def open_store(url: str, container: str, *, providers: Providers | None = None, **options: Any) -> Store:  # noqa: ANN401 -- each provider has its own
    """Open *container* of the store at *url*, such as ``file:///srv/images``; *options* go to the provider as they are.

    Raises ``BadStore`` for an address, a container or an option that is wrong, and for a provider that is not installed
    or cannot be loaded; ``StoreUnavailable`` where a provider looks and cannot reach it. Blocks for a moment: providers
    over a network connect at first use.
    """
    scheme, colon, _ = url.partition("://")
    if not colon or not scheme:
        remedy = f"write file://{url}" if url.startswith("/") else "write it like file:///srv/images"
        raise BadStore(f"store {url!r} names no provider: {remedy}")
    check_container(container)
    providers = installed_providers() if providers is None else providers
    load = providers.get(scheme)
    if load is None:
        names = ", ".join(sorted(providers)) or "none (reinstall derivproxy)"
        raise BadStore(f"store {url!r}: no provider {scheme!r}; installed: {names}")
    try:
        factory = load()
    except (ImportError, AttributeError) as error:
        raise BadStore(f"store {url!r}: provider {scheme!r} cannot be loaded ({error}): reinstall it") from error
    return factory(url, container, **options)
