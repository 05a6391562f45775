"""The one error of this package."""

from __future__ import annotations

EXCERPT = 24
"""Characters of the refused text that a message quotes at most."""


class BadName(ValueError):
    """A text that is no name, or values that no name can say.

    ``position`` is the 0-based index of the first character that cannot stay. ``expected`` lists what could stand
    there: words as they are typed (``-cover``, ``.jpg``, ``x``) and phrases (``a digit``, ``the end``); it is never
    empty. ``why`` is the broken condition in a sentence, or empty where the spelling itself is at fault. ``part`` is
    the parameter at fault (``height``, ``quality``) where one is. ``excerpt`` is what stands at the position.
    """

    def __init__(self, text: str, position: int, expected: tuple[str, ...], *, why: str = "", part: str = "") -> None:
        """Quote *text* from *position* on; the rest of it is not kept, however long it is."""
        super().__init__(text[position : position + EXCERPT], position, expected, why, part)
        self.excerpt = text[position : position + EXCERPT]
        self.position = position
        self.expected = expected
        self.why = why
        self.part = part

    def inside(self, text: str, offset: int) -> BadName:
        """The same fault where the refused text is the part of *text* that begins at *offset*."""
        return BadName(text, offset + self.position, self.expected, why=self.why, part=self.part)

    def __str__(self) -> str:
        # !a: an excerpt may hold newlines, NULs, lone surrogates or characters that turn a line around.
        found = f"{self.excerpt!a} stands" if self.excerpt else "the text ends"
        *most, last = self.expected
        wanted = f"{', '.join(most)} or {last}" if most else last
        return f"not a name: at position {self.position} {found}; expected {wanted}{self.why and f' ({self.why})'}"

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _restored, (type(self), *self.args)


def _restored(  # noqa: PLR0917
    kind: type[BadName], excerpt: str, position: int, expected: tuple[str, ...], why: str, part: str
) -> BadName:
    error = kind(excerpt, 0, expected, why=why, part=part)
    error.position = position
    error.args = (excerpt, position, expected, why, part)
    return error
