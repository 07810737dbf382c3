"""One run with what belongs around it: the sandbox where it rehearses, and the report and pictures that are wanted."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from batchbg import pipeline
from batchbg.errors import BatchbgError
from batchbg.report.summary import Summary
from batchbg.run.control import Control
from batchbg.run.reporter import Reporter
from batchbg.run.task import Process
from batchbg.settings.values import Settings

if TYPE_CHECKING:
    from batchbg.finish.finisher import Observer


def perform(
    settings: Settings,
    key: str,
    task: Process,
    reporter: Reporter,
    control: Control | None = None,
    typed: Callable[[str], str] = "batchbg {}".format,
    finishing: "Observer | None" = None,
) -> Summary:
    """Take every job of a run to its end, against the sandbox where the settings say so.

    Then write the report, and finish results by the profiles, that the settings name.

    Args:
        settings: checked.
        key: the API key.
        task: what is wanted.
        reporter: is told what happens.
        control: who may end it; None lets signals do so.
        typed: returns the line to type for a command such as "resume", for the report.
        finishing: is told how many results are finished.

    Raises:
        ConfigError, LedgerError, DiskError: nothing could be begun.
    """
    if settings.report:
        from batchbg.report.page import check_name

        check_name(settings.report)
    if settings.finish:
        from batchbg.library.after_run import check_before

        check_before(settings)
    with contextlib.ExitStack() as stack:
        if settings.sandbox:
            from batchbg.sandbox.config import SandboxConfig
            from batchbg.sandbox.server import SandboxServer

            server = stack.enter_context(SandboxServer(SandboxConfig()))
            settings = dataclasses.replace(settings, base_url=server.url)
        summary = pipeline.run(settings, key, task, reporter, control).summary
    if settings.report:
        summary = _with_report(summary, settings, typed)
    if settings.finish:
        from batchbg.library.after_run import with_finished

        summary = with_finished(summary, settings, finishing or (lambda _profile, _made, _of: None))
    return summary


def _with_report(summary: Summary, settings: Settings, typed: Callable[[str], str]) -> Summary:
    """Write the report; what keeps it from being written is no reason not to tell what the run did."""
    from batchbg.report.page import write_report

    try:
        write_report(
            settings.ledger,
            settings.report,
            caps=settings.caps,
            zone=settings.zone,
            price_per_credit=settings.price_per_credit,
            typed=typed,
        )
    except BatchbgError as error:
        code = summary.exit_code or error.exit_code
        return dataclasses.replace(summary, exit_code=code, notes=(*summary.notes, f"no report: {error}"))
    return summary
