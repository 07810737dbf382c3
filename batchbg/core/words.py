"""Numbers as people say them."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: "1 job", "2 jobs"; ``many`` is its plural where an s does not make it."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def are(number: int, one: str) -> str:
    """Return a number with its noun and verb: "1 result is", "2 results are"."""
    return f"{counted(number, one)} {'is' if number == 1 else 'are'}"


def share(part: int, whole: int, one: str) -> str:
    """Return a part of things: "2 of 3 jobs", "1 of 1 job"."""
    return f"{part} of {counted(whole, one)}"


def times(factor: float) -> str:
    """Return a factor with one digit behind the point at most: "1.4 times", "3 times"; "" where it shows as 1."""
    text = f"{factor:.1f}".removesuffix(".0")
    return "" if text == "1" else f"{text} times"


def duration(seconds: float) -> str:
    """Return a time as people say it: "45 s", "10 min", "2 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f}".removesuffix(".0") + " h"
