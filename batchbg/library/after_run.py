"""Finishing at the end of a run: nothing of it is a job's failure, and the run is told of in any case."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from batchbg.core.words import counted
from batchbg.errors import BatchbgError, ExitCode
from batchbg.finish.finisher import Mode, Observer, finish
from batchbg.finish.folders import check_folders
from batchbg.finish.outcome import headline
from batchbg.report.summary import Summary
from batchbg.settings import Settings

INTERRUPTED: Final = frozenset({ExitCode.HANGUP, ExitCode.INTERRUPT, ExitCode.TERMINATED})
"""Who ends a run so does not wait for finished pictures."""


def check_before(settings: Settings) -> None:
    """Refuse folders that would mix, before anything is paid for.

    Raises:
        ConfigError: they would.
    """
    check_folders(settings, [settings.profiles[name] for name in settings.finish])


def with_finished(summary: Summary, settings: Settings, observer: Observer) -> Summary:
    """Finish what is saved, and return the summary with what came of it; exit code 3 where something did not."""
    if not settings.finish or summary.exit_code in INTERRUPTED:
        return summary
    try:
        outcomes = finish(settings, settings.finish, Mode.MAKE, observer)
    except BatchbgError as error:
        return _marked(summary, [f"not finished: {error}"])
    except (KeyboardInterrupt, SystemExit) as leaving:
        code = leaving.code if isinstance(leaving, SystemExit) else None
        again = f"`batchbg finish {' '.join(settings.finish)}`"
        reasons = (*summary.reasons, f"finishing was interrupted; {again} continues")
        ended_by = ExitCode(code) if code in INTERRUPTED else ExitCode.INTERRUPT
        return dataclasses.replace(summary, exit_code=ended_by, reasons=reasons)
    notes = tuple(f"{one.profile.name}: {headline(one, 'made')}: {one.folder}" for one in outcomes)
    wrong = [
        f"{one.profile.name}: {counted(number, 'result')} without a good picture: `batchbg finish {one.profile.name}`"
        for one in outcomes
        if (number := len(one.problems) + len(one.unmet))
    ]
    summary = dataclasses.replace(summary, notes=(*summary.notes, *notes))
    return _marked(summary, wrong) if wrong else summary


def _marked(summary: Summary, reasons: Sequence[str]) -> Summary:
    code = summary.exit_code or ExitCode.INCOMPLETE
    return dataclasses.replace(summary, exit_code=code, reasons=(*summary.reasons, *reasons))
