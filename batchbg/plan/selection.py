"""Which background a photo goes on: by pairing, by the background map, or as a saved plan says."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from batchbg.core.model import NO_BACKGROUND, Size, Treatment
from batchbg.core.pairing import Background, Choice, Pairing, misfit
from batchbg.errors import ConfigError
from batchbg.plan.background_map import BackgroundMap, MapRule, check_map
from batchbg.plan.request import Request
from batchbg.plan.saved_plan import Entry

NOT_SIMILAR: Final = "no background is similar enough (on_mismatch = skip)"
CHANGED: Final = "changed since the plan was saved"
BACKGROUND_CHANGED: Final = "its background has changed since the plan was saved"


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """A background and how it goes up; ``choice`` is None for a transparent result."""

    choice: Choice | None
    treatment: Treatment


def background_of(chosen: Chosen | str) -> str:
    """Return the content (sha256) of the chosen background, or NO_BACKGROUND."""
    return chosen.choice.background.sha256 if isinstance(chosen, Chosen) and chosen.choice else NO_BACKGROUND


class Chooser(Protocol):
    """Chooses for one photo after the other; ``by_size`` where the choice depends on nothing but the photo's size."""

    by_size: bool

    @property
    def unused(self) -> list[str]:
        """A sentence for each rule that no photo has matched."""
        ...

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return what is chosen for the photo at ``path``, or the reason why it is left out."""
        ...


class Transparent:
    """Without backgrounds every result is transparent."""

    by_size = True
    unused: Final[list[str]] = []

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return no background."""
        return Chosen(None, Treatment.NONE)


class ByPairing:
    """The background map where it has a rule for the photo, else the pairing's policy."""

    def __init__(self, pairing: Pairing, on_mismatch: str, rules: Sequence[MapRule] = ()) -> None:
        self._pairing = pairing
        self._on_mismatch = on_mismatch
        self._map = BackgroundMap(rules)
        self.by_size = pairing.by_size and not rules

    @property
    def unused(self) -> list[str]:
        """A sentence for each line of the map that no photo has matched."""
        return [
            f"background_map, line {rule.line}: {rule.pattern!r} matches no photo that no earlier line has taken"
            for rule in self._map.unused
        ]

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return the choice, made to fit where it is not similar enough."""
        rule = self._map.rule_for(path)
        if rule is not None and not rule.background:
            return Chosen(None, Treatment.NONE)
        if rule is not None:
            choice = self._pairing.fixed(pixels, rule.background)
        else:
            choice = self._pairing.choose(pixels, sha256)
        if choice.similar or self._on_mismatch == "accept":
            return Chosen(choice, Treatment.AS_IS)
        if self._on_mismatch == "fit":
            return Chosen(choice, Treatment.FIT)
        return Chosen(None, Treatment.NONE) if self._on_mismatch == "transparent" else NOT_SIMILAR


class BySavedPlan:
    """Chooses what a saved plan says, and refuses what is no longer as it was."""

    by_size = False

    def __init__(self, entries: Mapping[str, Entry], backgrounds: Mapping[str, Background]) -> None:
        self._entries = entries
        self._backgrounds = backgrounds

    @property
    def unused(self) -> list[str]:
        """Photos of a saved plan that are gone have lines of their own."""
        return []

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return the plan's choice for a photo, or why it is refused."""
        entry = self._entries[path]
        if sha256 != entry.sha256:
            return CHANGED
        if not entry.background:
            return Chosen(None, Treatment.NONE)
        background = self._backgrounds.get(entry.background)
        if background is None or background.sha256 != entry.background_sha256:
            return BACKGROUND_CHANGED
        return Chosen(Choice(background, misfit(pixels, background.pixels), similar=True), entry.treatment)


def chooser_for(request: Request, backgrounds: Sequence[Background]) -> Chooser:
    """Return who chooses among the backgrounds that can be used.

    Raises:
        ConfigError: there is none, or one that was named is not there.
    """
    settings, by_path = request.settings, {background.path: background for background in backgrounds}
    if request.saved is not None:
        return BySavedPlan(request.saved, by_path)
    if request.backgrounds is None:
        return Transparent()
    check_map(request.map_rules, settings.background_map, by_path)
    if not backgrounds:
        file = request.backgrounds / request.background
        holds = "is no picture that can be used" if request.background else "holds no picture that can be used"
        raise ConfigError(f"backgrounds: {file} {holds}")
    try:
        pairing = Pairing(backgrounds, settings.tolerance, settings.background_policy)
    except LookupError as error:
        raise ConfigError(f"background_policy: there is no background {error} in {request.backgrounds}") from error
    return ByPairing(pairing, settings.on_mismatch, request.map_rules)
