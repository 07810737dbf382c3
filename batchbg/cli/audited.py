"""What ``audit`` prints: every credit with its job, and the account's balance beside their sum."""

import asyncio
import datetime
import os

from batchbg.cli import output
from batchbg.cli.commands.account import read
from batchbg.core.budget import Credits, Scope
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.errors import ApiError, ConfigError, ExitCode
from batchbg.ledger import audit as ledger_audit
from batchbg.ledger import credits, events, jobs
from batchbg.ledger.audit import Comparison
from batchbg.ledger.engine import open_to_read
from batchbg.settings import Settings, api_key


def show_audit(settings: Settings) -> ExitCode:
    """Compare the ledger with the account, and print how they stand; return the exit code."""
    ledger = open_to_read(settings.ledger)
    account_id, balance, trouble = _balance(settings)
    with ledger.reading() as connection:
        wrong = ledger_audit.check(ledger, connection)
        sums = credits.totals(connection, Scope.TOTAL)
        rows = list(ledger_audit.by_job(connection))
        known = {row.job_id: jobs.get(connection, row.job_id) for row in rows}
        past = ledger_audit.readings(connection, account_id)
        by_webhook = events.settled_by_webhook(connection)
    ledger.close()
    comparison = None if balance is None else ledger_audit.compare(past, balance, sums.spent)
    unresolved = [job for job in known.values() if job is not None and job.state is JobState.UNRESOLVED]
    differs = bool(wrong) or (comparison is not None and comparison.difference != 0)
    if settings.json:
        told = [{"id": job_id, "project_id": project_id} for job_id, project_id in by_webhook]
        output.print_json(_as_json(sums, comparison, trouble, wrong, unresolved) | {"settled_by_webhook": told})
    else:
        if not settings.quiet:
            for row in rows:
                output.tell(_line(row, known[row.job_id]))
        for line in _summary_lines(settings, sums, comparison, trouble, wrong, unresolved):
            output.tell(line)
        for job_id, project_id in by_webhook:
            output.tell(f"settled by a webhook event: {job_id}, whose create's answer was lost: project {project_id}")
    return ExitCode.INCOMPLETE if differs else ExitCode.OK


def _balance(settings: Settings) -> tuple[str, int | None, str]:
    """Return (account, credits or None, why they are not known)."""
    try:
        found = asyncio.run(read(settings, api_key(settings, os.environ)))
    except (ConfigError, ApiError) as error:
        return settings.base_url, None, str(error)
    if found is None or found.credits is None:
        return settings.base_url, None, "the service does not report the balance"
    return found.id, found.credits, ""


def _line(row: ledger_audit.JobCredits, job: Job | None) -> str:
    parts = [row.job_id, f"{job.state if job else 'dropped':11}"]
    named = (
        ("charged", row.credits.charged),
        ("refunded", row.credits.refunded),
        ("reserved", row.credits.reserved),
        ("unresolved", row.credits.unresolved),
    )
    parts.append(", ".join(f"{amount} {name}" for name, amount in named if amount) or "nothing")
    if job is not None:
        parts += [job.photo_path, f"({job.name}{', ' + job.project_id if job.project_id else ''})"]
        parts += ["deleted at the service"] if job.remote_deleted_at else []
    return "  ".join(parts)


def _summary_lines(
    settings: Settings,
    sums: Credits,
    comparison: Comparison | None,
    trouble: str,
    wrong: list[str],
    unresolved: list[Job],
) -> list[str]:
    lines = [
        f"ledger: {output.money(sums.spent, settings)} spent = {sums.charged} charged - {sums.refunded} refunded"
        f" + {sums.reserved} reserved + {sums.unresolved} unresolved",
        *(f"the ledger does not add up: {line}" for line in wrong),
    ]
    if comparison is None:
        lines.append(f"account: not compared: {trouble}")
    elif comparison.first is None:
        lines.append(f"account: {comparison.balance} credits; no earlier reading to compare with")
    else:
        lines += _compared(settings, comparison, sums.unresolved)
    for job in unresolved:
        lines.append(
            f"unresolved: {job.id}, {job.credits} credits, {job.photo_path}; look for {job.name!r}: {job.error}"
        )
    return lines


def _compared(settings: Settings, comparison: Comparison, unresolved: int) -> list[str]:
    assert comparison.first is not None
    began = _when(comparison.first.at, settings)
    head = f"account: {comparison.first.balance} credits on {began}, {comparison.balance} now"
    if not comparison.difference:
        return [f"{head}; agrees with the ledger"]
    more = comparison.difference > 0
    lines = [f"{head}; {comparison.expected} expected: {abs(comparison.difference)} {'more' if more else 'fewer'}"]
    if comparison.since is not None:
        lines.append(f"the difference has been there since {_when(comparison.since, settings)}")
    if more and unresolved and comparison.difference <= unresolved:
        lines.append(
            "unresolved creates that made nothing would explain it: they count as spent until they are resolved"
        )
    else:
        lines.append("this ledger cannot explain it: other programs, purchases, daily credits?")
    return lines


def _when(at: float, settings: Settings) -> str:
    return datetime.datetime.fromtimestamp(at, settings.zone).strftime("%Y-%m-%d %H:%M:%S")


def _as_json(
    sums: Credits, comparison: Comparison | None, trouble: str, wrong: list[str], unresolved: list[Job]
) -> dict[str, object]:
    return {
        "credits": {
            "charged": sums.charged,
            "refunded": sums.refunded,
            "reserved": sums.reserved,
            "unresolved": sums.unresolved,
            "spent": sums.spent,
        },
        "account": {
            "balance": comparison.balance if comparison else None,
            "expected": comparison.expected if comparison and comparison.first else None,
            "difference": comparison.difference if comparison and comparison.first else None,
            "since": comparison.since if comparison else None,
            "trouble": trouble or None,
        },
        "ledger": wrong,
        "unresolved": [
            {"id": job.id, "name": job.name, "credits": job.credits, "error": job.error} for job in unresolved
        ],
    }
