"""Which background a photo goes on: a paint, by pairing, by the background map, or as a saved plan says."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from batchbg.core.model import NO_BACKGROUND, Size, Treatment
from batchbg.core.paint import Paint
from batchbg.core.pairing import Background, Choice, Misfit, Pairing, misfit
from batchbg.errors import ConfigError
from batchbg.plan.background_map import BackgroundMap, MapRule, check_map, paints_in
from batchbg.plan.request import Request
from batchbg.plan.saved_plan import Entry, painted_in

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


class Painted:
    """Every photo goes on one colour or gradient, which is made at its size and so fits exactly."""

    by_size = True
    unused: Final[list[str]] = []

    def __init__(self, paint: Paint) -> None:
        self._text = str(paint)
        self._sha256 = paint.sha256

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return the paint."""
        background = Background(self._text, self._sha256, pixels, is_paint=True)
        return Chosen(Choice(background, Misfit(0, 0, 0), similar=True), Treatment.FIT)


class ByPairing:
    """The pairing's policy."""

    unused: Final[list[str]] = []

    def __init__(self, pairing: Pairing, on_mismatch: str) -> None:
        self._pairing = pairing
        self._on_mismatch = on_mismatch
        self.by_size = pairing.by_size

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return the choice, made to fit where it is not similar enough."""
        return self._treated(self._pairing.choose(pixels, sha256))

    def named(self, background: str, pixels: Size) -> Chosen | str:
        """Return the choice where a background map names the background."""
        return self._treated(self._pairing.fixed(pixels, background))

    def _treated(self, choice: Choice) -> Chosen | str:
        if choice.similar or self._on_mismatch == "accept":
            return Chosen(choice, Treatment.AS_IS)
        if self._on_mismatch == "fit":
            return Chosen(choice, Treatment.FIT)
        return Chosen(None, Treatment.NONE) if self._on_mismatch == "transparent" else NOT_SIMILAR


class ByMap:
    """The background map where it has a rule for the photo, else another chooser."""

    by_size = False

    def __init__(
        self,
        rules: Sequence[MapRule],
        paints: Mapping[str, Paint],
        pairing: ByPairing | None,
        otherwise: Chooser,
    ) -> None:
        """Follow rules.

        Args:
            rules: of the map.
            paints: the colours and gradients in them, by how they are written there.
            pairing: knows all other backgrounds in them; None where there are no others.
            otherwise: chooses where there is no rule.
        """
        self._map = BackgroundMap(rules)
        self._paints = {text: Painted(paint) for text, paint in paints.items()}
        self._pairing = pairing
        self._otherwise = otherwise

    @property
    def unused(self) -> list[str]:
        """A sentence for each line of the map that no photo has matched."""
        return [
            f"background_map, line {rule.line}: {rule.pattern!r} matches no photo that no earlier line has taken"
            for rule in self._map.unused
        ]

    def choose(self, path: str, pixels: Size, sha256: str) -> Chosen | str:
        """Return what the first rule for the photo says."""
        rule = self._map.rule_for(path)
        if rule is None:
            return self._otherwise.choose(path, pixels, sha256)
        if not rule.background:
            return Chosen(None, Treatment.NONE)
        if painted := self._paints.get(rule.background):
            return painted.choose(path, pixels, sha256)
        assert self._pairing is not None  # or the map would have been refused
        return self._pairing.named(rule.background, pixels)


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
        if paint := painted_in(entry):
            return Painted(paint).choose(path, pixels, sha256)
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
    paints = paints_in(request.map_rules, by_path)
    check_map(request.map_rules, settings.background_map, {**by_path, **paints}, has_folder=bool(request.backgrounds))
    pairing = _pairing(request, backgrounds) if request.backgrounds is not None else None
    otherwise = Painted(request.paint) if request.paint else pairing or Transparent()
    return ByMap(request.map_rules, paints, pairing, otherwise) if request.map_rules else otherwise


def _pairing(request: Request, backgrounds: Sequence[Background]) -> ByPairing:
    settings = request.settings
    assert request.backgrounds is not None
    if not backgrounds:
        file = request.backgrounds / request.background
        holds = "is no picture that can be used" if request.background else "holds no picture that can be used"
        raise ConfigError(f"backgrounds: {file} {holds}")
    try:
        pairing = Pairing(backgrounds, settings.tolerance, settings.background_policy)
    except LookupError as error:
        raise ConfigError(f"background_policy: there is no background {error} in {request.backgrounds}") from error
    return ByPairing(pairing, settings.on_mismatch)
