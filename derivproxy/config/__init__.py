"""What an installation chooses: one name for each setting as flag, variable and TOML key."""

from derivproxy.config.errors import Problem, SettingsError
from derivproxy.config.loading import Loaded, Shown, load, load_with_sources
from derivproxy.config.settings import LogFormat, LogLevel, Page, Settings
from derivproxy.config.table import Setting, settings_table

__all__ = [
    "Loaded",
    "LogFormat",
    "LogLevel",
    "Page",
    "Problem",
    "Setting",
    "Settings",
    "SettingsError",
    "Shown",
    "load",
    "load_with_sources",
    "settings_table",
]
