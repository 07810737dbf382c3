"""Which files of a folder count: patterns of paths as in gitignore, and which of them matched nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from batchbg.errors import ConfigError

if TYPE_CHECKING:
    from pathspec import Pattern


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
        self._patterns = [(text, one) for text in patterns for one in _parsed(text) if one.include is not None]
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


def _parsed(text: str) -> "Sequence[Pattern]":
    from pathspec import GitIgnoreSpec  # only where there are patterns: it takes as long to import as a tree to walk

    return GitIgnoreSpec.from_lines([text]).patterns


class Rules:
    """Which files of a folder count, by patterns as gitignore has them.

    Attributes:
        max_depth: folders to descend, None for all.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = (), max_depth: int | None = None) -> None:
        """Take only what ``include`` matches, where it is not empty, and nothing that ``exclude`` matches.

        Raises:
            ConfigError: one of them is no pattern.
        """
        self._include = _patterns("include", include)
        self._exclude = _patterns("exclude", exclude)
        self.max_depth = max_depth

    def __bool__(self) -> bool:
        return bool(self._include or self._exclude)

    def wants(self, path: str) -> bool:
        """Return whether a file passes the patterns."""
        is_excluded = self._exclude.match(path)
        return (not self._include or self._include.match(path)) and not is_excluded

    @property
    def unused(self) -> list[str]:
        """A sentence for each pattern that has matched no file."""
        named = (("include", self._include), ("exclude", self._exclude))
        return [f"{name}: {pattern!r} matches no file" for name, these in named for pattern in these.unused]


def _patterns(name: str, texts: Sequence[str]) -> Patterns:
    try:
        return Patterns(texts)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error
