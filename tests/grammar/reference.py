"""The context conditions once more, written from the page of names and on text alone: what the package is held against.

Nothing here imports the package: a mistake there must not be repeated here.
"""

from __future__ import annotations

IDENT = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

FORMATS = ("jpg", "png", "webp", "avif", "gif", "tif", "jxl")
COMPASS = ("north", "northeast", "northwest", "south", "southeast", "southwest", "east", "west")
QUALITIES = {"jpg": 80, "webp": 80, "avif": 60, "jxl": 80}


def conditions_hold(name: str) -> bool:
    """Whether a text that the ABNF takes for a key also keeps the context conditions."""
    if "~" in name:
        return int(name.partition("~")[2]) <= 65535
    if "." not in name:
        return True
    stem, _, output = name.rpartition(".")
    _, size, *options = stem.split("-")
    return options_hold(size, options, output)


def options_hold(size: str, options: list[str], output: str) -> bool:
    """Whether *options*, without their dashes, may stand together after *size* in the format *output*."""
    sides = [int(side) for side in size.split("x") if side]
    fit = next((option for option in options if option in {"cover", "pad", "stretch"}), "")
    return (
        all(side <= 65535 for side in sides)
        and (not fit or len(sides) == 2)
        and ("enlarge" not in options or (bool(sides) and fit != "stretch"))
        and all(_holds(option, fit, options, output) for option in options)
    )


def _holds(  # noqa: C901, PLR0911 -- a table, one line a condition
    option: str, fit: str, options: list[str], output: str
) -> bool:
    word = option.rstrip("0123456789_")
    numbers = [int(number) for number in option[len(word) :].split("_") if number]
    if option in COMPASS:
        return fit in {"cover", "pad"}
    if option.startswith("bg"):
        return (option, output) != ("bgffffff", "jpg")
    match word:
        case "smart":
            return fit == "cover"
        case "focus":
            return fit == "cover" and max(numbers) <= 1000 and not set(numbers) <= {0, 500, 1000}
        case "page":
            return numbers[0] > 1 or output in {"webp", "gif"}
        case "crop":
            return max(numbers) <= 65535
        case "blur" | "sharpen":
            return numbers[0] <= {"blur": 1000, "sharpen": 100}[word] and "bitonal" not in options
        case "q":
            return numbers[0] <= 100 and QUALITIES.get(output, numbers[0]) != numbers[0]
        case "lossless":
            return output in {"webp", "avif", "jxl"}
        case "icc" | "p":
            return output != "gif" and not {"gray", "bitonal"} & set(options)
        case "copyright" | "meta":
            return output != "gif"
        case _:
            return True
