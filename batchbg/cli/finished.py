"""Finishing: what is told of it."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from batchbg.cli import output
from batchbg.cli.output import is_animated, print_json
from batchbg.core.finishing import Profile
from batchbg.core.words import counted
from batchbg.errors import ConfigError, ExitCode
from batchbg.finish.finisher import Mode, finish
from batchbg.finish.outcome import Outcome, headline
from batchbg.settings import Settings
from batchbg.settings.finishing import check_names

LISTED: Final = 20
"""Results that are named for one reason; --json names all."""


def chosen(settings: Settings, names: Sequence[str]) -> Sequence[str]:
    """Return the profiles that were named, else those of ``finish`` in config.toml.

    Raises:
        ConfigError: there is none of that name, or none was named.
    """
    check_names(names, settings.profiles, "NAME")
    if not (names or settings.finish):
        raise ConfigError(f"name a profile: {', '.join(settings.profiles)}; `batchbg finish --list` says what they are")
    return names or settings.finish


def list_profiles(settings: Settings) -> None:
    """Print every profile: its shape, and where the rule that it keeps is published."""
    for profile in settings.profiles.values():
        parts = [f"canvas {profile.canvas or 'of the product'}", f"margin {profile.margin:g} %", profile.format]
        parts += [f"longer side {profile.longest} pixels at most"] if profile.longest else []
        parts += ["transparent"] if profile.background is None else []
        parts += [f"at most {profile.max_bytes / 1e6:g} MB"] if profile.max_bytes else []
        output.tell(f"{profile.name}: {', '.join(parts)}")
        if profile.rule:
            output.tell(f"  rule: {profile.rule.source}")


def finish_and_tell(settings: Settings, names: Sequence[str], *, check: bool, dry_run: bool) -> ExitCode:
    """Finish, print what came of it, and return the exit code."""
    mode = Mode.PLAN if dry_run else Mode.CHECK if check else Mode.MAKE
    with bar(settings) as observer:
        outcomes = finish(settings, names, mode, observer)
    code = max((one.exit_code for one in outcomes), default=ExitCode.OK)
    if settings.json:
        print_json({"profiles": [one.as_json() for one in outcomes], "exit_code": int(code)})
    elif not (settings.quiet and code is ExitCode.OK):
        for outcome in outcomes:
            for line in _told(outcome, mode):
                output.tell(line)
    return code


@contextlib.contextmanager
def bar(settings: Settings) -> Iterator[Any]:
    """Yield an observer that draws a bar on a terminal, one for each profile."""
    if settings.quiet or not is_animated():
        yield lambda _profile, _made, _of: None
        return
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def observe(profile: Profile, made: int, of: int) -> None:
        if made == 0:
            for bar in bars:
                bar.close()
            options: dict[str, Any] = {"unit": " pictures", "dynamic_ncols": True, "leave": False}
            bars.append(tqdm(total=of, desc=profile.name, disable=not of, file=sys.stderr, **options))
        else:
            bars[-1].update(1)

    try:
        yield observe
    finally:
        for bar in bars:
            bar.close()


_DONE: Final = {Mode.MAKE: "made", Mode.CHECK: "checked", Mode.PLAN: "to make"}


def _told(outcome: Outcome, mode: Mode) -> Iterator[str]:
    """Yield what came of one profile, for people."""
    name = outcome.profile.name
    yield f"{name}: {headline(outcome, _DONE[mode])}: {outcome.folder}"
    yield from _named("no picture", [(result, why) for result, why in outcome.problems])
    rule = outcome.profile.rule
    if rule and outcome.unmet:
        yield f"  {counted(len(outcome.unmet), 'picture')} not as asked for ({rule.source}):"
        yield from _named("not as asked for", [(result, "; ".join(why)) for result, _file, why in outcome.unmet])
    for remark, results in sorted(outcome.remarks.items(), key=lambda item: -len(item[1]))[:LISTED]:
        yield f"  {counted(len(results), 'picture')}: {remark}"
    if outcome.advised:
        less = {result for results in outcome.advised.values() for result in results}
        why, (result, *_) = next(iter(outcome.advised.items()))
        yield f"  {counted(len(less), 'picture')} less than advised, as {result}: {why}"


def _named(what: str, told: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each of the first results, and how many more there are."""
    for result, why in told[:LISTED]:
        yield f"  {what}: {result}: {why}"
    if len(told) > LISTED:
        yield f"  and {len(told) - LISTED} more; --json names all"
