"""Patterns of paths, as gitignore has them, and which of them matched nothing."""

from collections.abc import Sequence

from pathspec import GitIgnoreSpec


class Patterns:
    """Some patterns in the order in which they were given.

    ``drafts/`` is a folder of that name anywhere, ``drafts`` a folder or a file, ``*.jpg`` a file in any folder,
    ``a/*.jpg`` one directly in ``a``, ``a/**`` all that lies below it; ``!`` takes back what an earlier one matched.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Take the patterns; capitals count.

        Raises:
            ValueError: one of them is no pattern.
        """
        self._patterns = [
            (text, one)
            for text in patterns
            for one in GitIgnoreSpec.from_lines([text]).patterns
            if one.include is not None
        ]
        self._unused = set(range(len(self._patterns)))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, path: str) -> bool:
        """Return whether a file's path below the root is matched, itself or by a folder that it lies in."""
        matched = False
        for number, (_, pattern) in enumerate(self._patterns):
            if pattern.include is not None and pattern.match_file(path) is not None:
                self._unused.discard(number)
                matched = pattern.include
        return matched

    @property
    def unused(self) -> list[str]:
        """Patterns that have matched nothing so far."""
        return [self._patterns[number][0] for number in sorted(self._unused)]
