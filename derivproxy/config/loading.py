"""Flags, environment, file and defaults to one ``Settings``, remembering where each value came from.

A flag comes before a variable, a variable before the file, the file before the default. An empty variable counts as
not set. A secret can also be named by a file that holds it (``…_FILE``, ``--…-file``, ``…_file``). All that is wrong
is said at once.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derivproxy.config.errors import Problem, SettingsError
from derivproxy.config.settings import Settings
from derivproxy.config.table import Setting, settings_table
from derivproxy.domain.limits import Limits
from derivproxy.domain.policy import SizePolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

PREFIX = "DERIVPROXY_"
_SECRET_FILE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of ``config show``: a value as it could be written again (secrets masked), and where it came from."""

    setting: Setting
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and the provenance of each."""

    settings: Settings
    shown: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """A raw value, the key it was written under, and whether that key names a file holding it."""

    raw: object
    key: str
    from_file: bool = False


def load(flags: Mapping[str, object], environ: Mapping[str, str], *, others: Collection[str] = ()) -> Settings:
    """The settings of :func:`load_with_sources` alone."""
    return load_with_sources(flags, environ, others=others).settings


def load_with_sources(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    others: Collection[str] = (),
    cpus: int | None = None,
) -> Loaded:
    """Settings from *flags* (by setting name, ``None`` where not given) and *environ*, and where each came from.

    *others* are ``DERIVPROXY_…`` variables that are no settings but known to the caller; *cpus* stands for what the
    machine has. Raises ``SettingsError`` with all that is wrong.
    """
    table = {setting.name: setting for setting in settings_table()}
    problems: list[Problem] = []
    layers = [_from_flags(flags, table, problems), _from_environment(environ, table, others, problems)]
    config = _first(table["config"], layers, problems)
    if config is not None and (path := _parsed(table["config"], config, problems)) is not None:
        layers.append(_from_file(path, table, problems))
    found: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, setting in table.items():
        given = _first(setting, layers, problems)
        if given is not None and (value := _parsed(setting, given, problems)) is not None:
            found[name], sources[name] = value, given.key
    if problems:
        raise SettingsError(*problems)
    settings = _completed(found, table, cpus if cpus is not None else len(os.sched_getaffinity(0)))
    if wrong := _contradictions(settings, sources):
        raise SettingsError(*wrong)
    shown = tuple(Shown(row, _show(row, settings), sources.get(name, "default")) for name, row in table.items())
    return Loaded(settings, shown)


def _from_flags(
    flags: Mapping[str, object], table: Mapping[str, Setting], problems: list[Problem]
) -> dict[str, _Given]:
    layer: dict[str, _Given] = {}
    for name, raw in flags.items():
        if raw is not None:
            key = "--" + name.replace("_", "-")
            _sort_in(layer, name, _Given(raw, key), table, problems, spelled=lambda row: row.flag)
    return layer


def _from_environment(
    environ: Mapping[str, str], table: Mapping[str, Setting], others: Collection[str], problems: list[Problem]
) -> dict[str, _Given]:
    layer: dict[str, _Given] = {}
    for variable, raw in environ.items():
        name = variable.removeprefix(PREFIX)
        if name == variable or variable in others or raw == "":
            continue
        given = _Given(raw, variable)
        # To the system DERIVPROXY_port is another variable than DERIVPROXY_PORT: one name, one spelling.
        name = name.lower() if name == name.upper() else name.upper()
        _sort_in(layer, name, given, table, problems, spelled=lambda row: row.variable)
    return layer


def _from_file(path: Path, table: Mapping[str, Setting], problems: list[Problem]) -> dict[str, _Given]:
    layer: dict[str, _Given] = {}
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        problems.append(
            Problem(f"--config {path}", f"cannot be read ({error.strerror}); name a TOML file, or leave it out")
        )
        return layer
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(Problem(f"--config {path}", f"is not TOML: {error}"))
        return layer
    for name, raw in content.items():
        key = f"{name} in {path}"
        if (row := table.get(name)) is not None and not row.in_file:
            problems.append(Problem(key, f"cannot stand in the file; use {row.flag} or {row.variable}"))
        else:
            _sort_in(layer, name, _Given(raw, key), table, problems, spelled=lambda row: row.name)
    return layer


def _sort_in(
    layer: dict[str, _Given],
    name: str,
    given: _Given,
    table: Mapping[str, Setting],
    problems: list[Problem],
    *,
    spelled: Callable[[Setting], str],
) -> None:
    """Put *given* under the setting it is for, or note that there is none and which was perhaps meant."""
    if name in table:
        layer[name] = given
    elif name.endswith("_file") and (row := table.get(name.removesuffix("_file"))) is not None and row.secret:
        layer[name] = _Given(given.raw, given.key, from_file=True)
    else:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), table, n=1)
        hint = f"did you mean {spelled(table[near[0]])}?" if near else "derivproxy config show lists all"
        problems.append(Problem(given.key, f"no such setting; {hint}"))


def _first(setting: Setting, layers: Iterable[Mapping[str, _Given]], problems: list[Problem]) -> _Given | None:
    for layer in layers:
        direct, by_file = layer.get(setting.name), layer.get(f"{setting.name}_file")
        if direct is not None and by_file is not None:
            problems.append(Problem(by_file.key, f"is given beside {direct.key}; keep one of them"))
        if direct is not None or by_file is not None:
            return direct or by_file
    return None


def _parsed(setting: Setting, given: _Given, problems: list[Problem]) -> Any | None:  # noqa: ANN401
    """The value, or ``None`` with the problem noted once."""
    try:
        return setting.parse(_content(given) if given.from_file else given.raw)
    except ValueError as error:
        # The value of a secret stays out of terminals and logs, also a wrong one.
        shown = "" if setting.secret else f"{given.raw!r} "
        problem = Problem(given.key, f"{shown}{error}")
        if problem not in problems:
            problems.append(problem)
        return None


def _content(given: _Given) -> str:
    path = Path(str(given.raw)).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_SECRET_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"names {str(path)!r}, which cannot be read ({error.strerror})") from None
    if len(content) > _SECRET_FILE_BYTES:
        raise ValueError(f"names {str(path)!r}, which is too large for a secret")
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"names {str(path)!r}, which is not text") from None


def _completed(found: Mapping[str, Any], table: Mapping[str, Setting], cpus: int) -> Settings:
    """Settings with the defaults that depend on other settings or on the machine."""
    limits = {row.limit: found[name] for name, row in table.items() if row.limit is not None and name in found}
    values = {name: value for name, value in found.items() if table[name].limit is None}
    data = values.setdefault("data", Settings().data)
    values.setdefault("store", (data.absolute() / "store").as_uri())
    values.setdefault("sizes", SizePolicy(everything="signing_keys" not in values))
    processes = values.setdefault("processes", cpus)
    values.setdefault("slots", 2 * processes)
    values.setdefault("queue", 64 * processes)
    return Settings(limits=Limits(**limits), **values)


def _contradictions(settings: Settings, sources: Mapping[str, str]) -> list[Problem]:
    """What is right alone and wrong together."""
    problems = []
    if settings.slots < settings.processes:
        key = sources.get("slots") or sources["processes"]
        problems.append(
            Problem(
                key, f"{settings.slots} slots would leave some of the {settings.processes} processes idle; raise slots"
            )
        )
    if 0 < settings.memory_tier_bytes < 2**16:
        problems.append(
            Problem(
                sources["memory_tier_bytes"], f"{settings.memory_tier_bytes} bytes hold no derivative; write 0 or 64MiB"
            )
        )
    return problems


def _show(setting: Setting, settings: Settings) -> str:
    value = getattr(settings.limits, setting.limit) if setting.limit else getattr(settings, setting.name)
    if value is None or value == ():
        return "-"
    if setting.secret:
        return "(hidden)"
    if isinstance(value, StrEnum):
        return value.value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
