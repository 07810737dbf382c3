"""batchbg: new backgrounds for a folder of product photos, paid for once each.

    from batchbg import Batch

    summary = Batch("photos", backgrounds="backgrounds", max_credits=500).run()

``batchbg help python`` is the page about it.
"""

TYPE_CHECKING = False  # checkers know it by its name; typing takes longer to import than all of this

if TYPE_CHECKING:
    from batchbg.core.lifecycle import JobState
    from batchbg.errors import BatchbgError, ConfigError, ExitCode, LedgerBusy
    from batchbg.library.batch import Batch
    from batchbg.library.events import Copied, Event, Failed, Planned, Rejected, Saved, Submitted, Unresolved
    from batchbg.library.options import Options
    from batchbg.library.results import JobInfo, Plan, PlannedPhoto
    from batchbg.report.summary import Summary

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "BatchbgError",
    "ConfigError",
    "Copied",
    "Event",
    "ExitCode",
    "Failed",
    "JobInfo",
    "JobState",
    "LedgerBusy",
    "Options",
    "Plan",
    "Planned",
    "PlannedPhoto",
    "Rejected",
    "Saved",
    "Submitted",
    "Summary",
    "Unresolved",
    "__version__",
]

_HOMES = {
    "Batch": "library.batch",
    "JobState": "core.lifecycle",
    "Options": "library.options",
    "Summary": "report.summary",
    **dict.fromkeys(("BatchbgError", "ConfigError", "ExitCode", "LedgerBusy"), "errors"),
    **dict.fromkeys(("JobInfo", "Plan", "PlannedPhoto"), "library.results"),
    **dict.fromkeys(
        ("Copied", "Event", "Failed", "Planned", "Rejected", "Saved", "Submitted", "Unresolved"), "library.events"
    ),
}


if not TYPE_CHECKING:  # who reads the types is to be told of a name that is not there

    def __getattr__(name: str) -> object:
        """Import what is asked for, and no more: the command line, too, imports this package first."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__() -> list[str]:
        """Name what can be asked for, too."""
        return sorted({*globals(), *__all__})
