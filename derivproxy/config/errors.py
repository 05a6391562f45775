"""What is wrong with the settings, all of it at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: *key* as it was written (``--port``, ``DERIVPROXY_PORT``, ``port in FILE``), and a remedy."""

    key: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.remedy}"


class SettingsError(Exception):
    """Settings that cannot be worked with. Its text has one line a problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
