"""Every setting, defined once: its flag, its key in config.toml, its variable, its default and its help."""

import dataclasses
from pathlib import Path
from typing import Any, Final

from batchbg.core.addresses import MAGIC_HOUR_URL
from batchbg.core.model import MAX_UPLOAD_BYTES
from batchbg.core.naming import SUFFIXES
from batchbg.settings.kinds import (
    BACKGROUND,
    COLOUR,
    COMMAND,
    COUNT,
    DURATION,
    LEVEL,
    PATH,
    PATHS,
    POSITIVE,
    SWITCH,
    TEXT,
    TEXTS,
    Kind,
    choice,
    number,
    whole,
)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting, as the command line, config.toml and the environment know it.

    Attributes:
        key: name in config.toml, with its section: "max_credits", "budget.per_day".
        kind: how a value is read, see ``kinds``.
        default: value where nobody sets it.
        help: one sentence for --help and the commented config.toml.
        flags: on the command line; empty where it has none.
        metavar: stands for the value in --help.
    """

    key: str
    kind: Kind
    default: Any
    help: str
    flags: tuple[str, ...] = ()
    metavar: str | None = None

    @property
    def field(self) -> str:
        """Name of the Settings attribute, and of the click parameter."""
        return self.key.rpartition(".")[2]

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables, the first that is set wins."""
        full = self.key.replace(".", "_").upper()
        return tuple(dict.fromkeys((f"BATCHBG_{self.field.upper()}", f"BATCHBG_{full}")))


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("photos", PATH, None, "Folder of photos; the PHOTOS argument of run and plan."),
    Setting("files", PATHS, (), "Only these photos; the PHOTOS arguments of run and plan where they are files."),
    Setting(
        "backgrounds",
        BACKGROUND,
        None,
        "Folder of backgrounds, one background's file, a colour (white, #f5f5f5) or linear-gradient(#fff, #ddd); without"
        " any the results are transparent.",
        ("-b", "--backgrounds"),
        "BACKGROUND",
    ),
    Setting(
        "output",
        PATH,
        Path("output"),
        "Folder for the results, which mirrors the photo folder's tree.",
        ("-o", "--output"),
        "DIR",
    ),
    Setting(
        "ledger",
        TEXT,
        None,
        "SQLAlchemy URL of the ledger [default: sqlite:///batchbg.db beside config.toml, else in the current folder].",
        ("--ledger",),
        "URL",
    ),
    Setting("base_url", TEXT, MAGIC_HOUR_URL, "The API's host.", ("--base-url",), "URL"),
    Setting(
        "sandbox",
        SWITCH,
        False,
        "Start the sandbox and use it: no key, no question, nothing charged.",
        ("--sandbox",),
    ),
    Setting("max_credits", COUNT, None, "Cap on the credits of this run.", ("--max-credits",), "N"),
    Setting("max_files", COUNT, None, "At most this many new jobs.", ("--max-files",), "N"),
    Setting("max_duration", DURATION, None, "Stop submitting after this time.", ("--max-duration",), "2h"),
    Setting(
        "pilot",
        POSITIVE,
        None,
        "Only this many photos, picked across folders and sizes; then the report, and a question before the rest.",
        ("--pilot",),
        "N",
    ),
    Setting(
        "requests_per_second",
        number(0, or_equal=False),
        10.0,
        "Requests to the API host in any second, all workers together.",
        ("--requests-per-second",),
        "R",
    ),
    Setting(
        "max_in_flight",
        POSITIVE,
        8,
        "Jobs under way at the service at a time; lowered automatically while the API refuses more.",
        ("--max-in-flight",),
        "N",
    ),
    Setting(
        "include",
        TEXTS,
        (),
        "Only photos that match, as in gitignore: *.jpg, mugs/, mugs/**/*.png; repeatable.",
        ("--include",),
        "GLOB",
    ),
    Setting(
        "exclude",
        TEXTS,
        (),
        "No photos that match, as in gitignore: drafts/, *-old.*; repeatable.",
        ("--exclude",),
        "GLOB",
    ),
    Setting(
        "files_from",
        TEXT,
        None,
        'Only the photos named in this file, one a line, below the photo folder; "-" is stdin.',
        ("--files-from",),
        "FILE",
    ),
    Setting("null", SWITCH, False, "Names in --files-from end with NUL instead of a line's end.", ("--null",)),
    Setting("max_depth", POSITIVE, None, "Folders to descend: 1 is the photo folder alone.", ("--max-depth",), "N"),
    Setting(
        "background_policy",
        TEXT,
        "best",
        "best, spread (all that are similar enough, evenly), or a path below the background folder.",
        ("--background-policy",),
        "POLICY",
    ),
    Setting(
        "background_map",
        PATH,
        None,
        'CSV of photo glob and background (or "transparent"); the first line that matches overrides the policy.',
        ("--background-map",),
        "FILE",
    ),
    Setting(
        "on_mismatch",
        choice("fit", "accept", "transparent", "skip"),
        "fit",
        "Where no background is similar enough: cover-crop one to the photo's resolution, send one as it is, send"
        " none, or leave the photo out.",
        ("--on-mismatch",),
    ),
    Setting(
        "force",
        SWITCH,
        False,
        "Pay again for what is done, and replace results. Given again, it continues where it stopped.",
        ("--force", "--reprocess-existing"),
    ),
    Setting(
        "again", SWITCH, False, "With --force: start over, even if an earlier --force is not finished.", ("--again",)
    ),
    Setting(
        "first_page",
        SWITCH,
        False,
        "Send the first page of multi-page TIFFs and animated files, which are otherwise rejected.",
        ("--first-page",),
    ),
    Setting(
        "allow_blank",
        SWITCH,
        False,
        "Send pictures in which nothing can be seen, too: all transparent, or a single pixel.",
        ("--allow-blank",),
    ),
    Setting(
        "prefer",
        choice("jpeg", "tiff", "both"),
        "jpeg",
        "Send this one of a TIFF and a JPEG in one folder that have the same name and shape and so are one picture;"
        ' "both" sends, and pays for, each.',
        ("--prefer",),
    ),
    Setting("portable_names", SWITCH, False, "Give results names that Windows accepts, too.", ("--portable-names",)),
    Setting(
        "format",
        choice(*SUFFIXES),
        "png",
        "Save results as this; PNG keeps them as they come. A photo that has its output name keeps it.",
        ("--format",),
    ),
    Setting(
        "quality",
        whole(1, 100),
        90,
        "Quality of results saved as JPEG, WebP or AVIF, 1 to 100.",
        ("--quality",),
        "N",
    ),
    Setting(
        "flatten",
        COLOUR,
        None,
        "Put this colour behind what is transparent in results, as white or #f5f5f5 [default: none; white for JPEG].",
        ("--flatten",),
        "COLOUR",
    ),
    Setting(
        "keep_received",
        SWITCH,
        False,
        "Also keep converted results as they came, in the output folder's .received.",
        ("--keep-received",),
    ),
    Setting(
        "delete_remote",
        SWITCH,
        False,
        "Delete each result at the service once it is whole on disk; from then on the file here is the only copy.",
        ("--delete-remote",),
    ),
    Setting(
        "exec",
        COMMAND,
        None,
        "Start this program, without a shell, for each result that is saved: {} is its file, {photo} the photo's path,"
        " {job} the job.",
        ("--exec",),
        "CMD",
    ),
    Setting("plan", PATH, None, "Do exactly what `batchbg plan --save FILE` wrote.", ("--plan",), "FILE"),
    Setting("dry_run", SWITCH, False, "The same as plan.", ("-n", "--dry-run")),
    Setting("yes", SWITCH, False, "Do not ask.", ("-y", "--yes")),
    Setting(
        "confirm_batch_over",
        whole(-1),
        50,
        "Ask before more new jobs than this; -1 never asks.",
        ("--confirm-batch-over",),
        "N",
    ),
    Setting("json", SWITCH, False, "Print the summary as one JSON object on stdout.", ("--json",)),
    Setting("log_format", choice("text", "json"), "text", "Form of the log on stderr.", ("--log-format",)),
    Setting("verbose", LEVEL, 0, "Say more; given twice, everything.", ("-v", "--verbose")),
    Setting("quiet", SWITCH, False, "Print nothing on success.", ("-q", "--quiet")),
    Setting("retry_lock", DURATION, 0.0, "Wait this long for another run to end.", ("--retry-lock",), "5m"),
    Setting("strict", SWITCH, False, "Known rejects and failures count for exit code 3, too.", ("--strict",)),
    Setting("report", PATH, None, "Write the HTML report here at the end.", ("--report",), "FILE"),
    Setting(
        "finish",
        TEXTS,
        (),
        "At the end, finish results by this profile: amazon, ebay, etsy, shopify, google or one of yours; repeatable.",
        ("--finish",),
        "NAME",
    ),
    Setting(
        "metrics_file",
        PATH,
        None,
        "Write metrics to this file, now and then and at the end, for node_exporter's textfile collector; it ends in .prom.",
        ("--metrics-file",),
        "FILE",
    ),
    Setting("budget.per_day", COUNT, None, "Credits a day, over all runs."),
    Setting("budget.per_month", COUNT, None, "Credits a month, over all runs."),
    Setting("budget.total", COUNT, None, "Credits this ledger may ever spend."),
    Setting("budget.keep_balance", COUNT, None, "Credits to leave on the account."),
    Setting(
        "budget.price_per_credit", number(0, or_equal=True), None, "Money for one credit, to show costs as money too."
    ),
    Setting(
        "timezone", TEXT, None, 'Zone in which days and months begin, as "Europe/Berlin" [default: the system\'s].'
    ),
    Setting(
        "still_for",
        DURATION,
        5.0,
        "Of `watch`: take a photo once nobody has changed it for this long.",
        ("--still-for",),
        "5s",
    ),
    Setting(
        "poll_every",
        DURATION,
        30.0,
        "Of `watch`: look at the folder at least this often, as on network disks, where nothing tells of changes.",
        ("--poll-every",),
        "30s",
    ),
    Setting("give_up_after", DURATION, 600.0, "Stop when the API has been down for this long."),
    Setting("exec_timeout", DURATION, 60.0, "End a program of `exec` that has not ended after this time."),
    Setting("render_patience", DURATION, 1800.0, "Stop waiting for a render this long after its create."),
    Setting(
        "max_distortion", number(0, or_equal=True), 0.05, "Similar enough: |ln(aspect ratio / aspect ratio)| at most."
    ),
    Setting("max_blur", number(0, or_equal=True), 0.4, "Similar enough: ln(enlargement) at most."),
    Setting(
        "max_upload_bytes",
        whole(1, 10**12),
        MAX_UPLOAD_BYTES,
        "Bytes of the largest file that the account's plan takes: 200 MB on Free, 2 GB on Creator, 5 GB on Pro, 10 GB on"
        " Business. Larger photos are rejected.",
    ),
    Setting("api_key_file", PATH, None, "File that holds the API key, one line, and that others cannot read."),
    Setting(
        "ping_url",
        TEXT,
        None,
        "Address of a check as healthchecks.io has them, told of the start (/start) and of the exit code (/<code>).",
    ),
    Setting(
        "webhook_url",
        TEXT,
        None,
        "Public address of `batchbg webhook`, as the service's developer hub has it: runs expect events, doctor tries it.",
        ("--webhook-url",),
        "URL",
    ),
    Setting(
        "webhook_secret_file",
        PATH,
        None,
        "File that holds the secret of the webhook, one line, and that others cannot read.",
    ),
)

BY_KEY: Final = {setting.key: setting for setting in SETTINGS}


LIMITING: Final = frozenset(
    {
        *("max_credits", "max_files", "max_duration", "pilot", "confirm_batch_over"),
        *("budget.per_day", "budget.per_month", "budget.total", "budget.keep_balance"),
        *("include", "exclude", "files", "files_from", "max_depth", "plan"),
    }
)
"""Keys that bound what is spent: where one of them is left empty or misspelt, nothing may be spent without it."""
