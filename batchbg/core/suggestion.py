"""Which name a person meant: misspelt ones, and those that comparable tools use.

What is offered here is often typed without a second thought. So nothing is ever offered that spends or replaces.
"""

import difflib
from collections.abc import Iterable
from typing import Final

SPENDS: Final = frozenset(
    {
        *("force", "reprocess-existing", "again", "yes", "pay-again", "charged", "not-charged", "all", "project-id"),
        *("yes-it-is", "accept-price", "dismiss-price", "allow-blank", "overwrite", "replace"),
    }
)
"""Options that pay, replace, or keep from being asked, as they are written without dashes in front."""

PEERS: Final = {
    "max-in-flight": "j jobs workers worker transfers concurrency concurrent threads parallel parallelism processes"
    " procs num-workers max-workers pool-size p w t connections",
    "requests-per-second": "tpslimit rate rate-limit rps qps tps limit-rate throttle requests-per-minute",
    "max-files": "limit max n count number max-count max-jobs max-photos max-images head first",
    "max-credits": "budget cap max-cost max-spend max-price cost-limit spend-limit credit-limit credits max-budget",
    "max-duration": "time-limit max-time timeout max-runtime deadline",
    "dry-run": "dry dryrun simulate what-if whatif just-print preview no-act test check",
    "pilot": "sample trial",
    "output": "out dest destination target output-dir outdir output-folder to results",
    "backgrounds": "background bg background-dir bg-dir backdrop backdrops",
    "include": "filter match glob pattern only",
    "exclude": "ignore skip omit",
    "files-from": "from-file input-file file-list list from",
    "ledger": "db database state state-file checkpoint manifest",
    "base-url": "url host endpoint api-url server",
    "max-depth": "depth recursion",
    "log-format": "log-type",
    "verbose": "debug loud",
    "quiet": "silent s",
    "report": "html",
    "config": "c conf settings",
}
"""Our option for each word of rclone, rsync, s5cmd, restic, parallel, make, wget and their like."""

ANYWAY: Final = {
    "what has a result is skipped anyway": "skip-existing ignore-existing skip-done existing no-clobber nc update u"
    " no-overwrite incremental sync only-new new-only size-only checksum",
    "what an earlier run began goes on anyway": "resume continue restart-from checkpoint-resume recover pick-up",
    "folders below are looked into anyway; --max-depth limits that": "recursive r recurse",
    "what fails for a while is tried again anyway": "retries retry max-retries",
    "the key comes from MAGIC_HOUR_API_KEY or api_key_file, never from a flag": "api-key key token apikey password",
}
"""What needs no option, by the words that ask for it."""

_OURS: Final = {word: name for name, words in PEERS.items() for word in words.split()}
_ANYWAY: Final = {word: said for said, words in ANYWAY.items() for word in words.split()}


def plain(name: str) -> str:
    """Return an option, key or variable as its bare words: "--Max_Credits" is "max-credits"."""
    return name.lstrip("-").lower().replace("_", "-")


def anyway(word: str) -> str:
    """Return what is so without any option, where ``word`` asks for that; else ""."""
    return _ANYWAY.get(plain(word), "")


def meant(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the one of ``known`` that was most likely meant by ``word``; "" where nothing is like it.

    Args:
        word: as it was typed, with or without dashes.
        known: names, as they are written: "--max-credits", "budget.per_day".
        cutoff: how alike they have to be, from 0 to 1.
    """
    harmless = {plain(name): name for name in known if plain(name) not in SPENDS}
    bare = plain(word)
    for name in (_OURS.get(bare), *difflib.get_close_matches(bare, harmless, n=1, cutoff=cutoff)):
        if name in harmless:
            return harmless[name]
    near = difflib.get_close_matches(bare, _OURS, n=1, cutoff=0.85)
    return harmless.get(_OURS[near[0]], "") if near else ""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" for the nearest known word, or ""."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
