"""Every error batchbg raises on purpose, and the exit code each one leads to.

    BatchbgError              1   a bug or something nobody foresaw
      ConfigError             2   a flag, setting, key or path is wrong: nothing was sent
        NoLedger              2   there is no ledger yet, or it is elsewhere
      LedgerError             5   the ledger cannot be read or written now
        LedgerUnreachable     5   its server does not answer
        LedgerBusy           11   another run holds it
        StaleJobError             another worker moved this job first
      DiskError               5   an output or photo folder cannot be used now (full, read-only, gone)
      OutputRefused         3   one result's path cannot be written: its job only
      ApiError                    the API's answer, or the lack of one; each says what the caller may do
        AccountRefused        7   key rejected, no credits, plan refuses: no further create
        AccountUnreadable     7   the key may not ask for the account, whatever else it may
        ApiUnreachable        5   no useful answer now: the same request may be sent again
        RequestRefused            this request is wrong and will stay wrong: this photo only
      WrongProject                a project has another job's name: nothing of it is taken
      PhotoChanged                the file is not the one that was checked: left for the next run
      ResultUnusable              a download that is not a whole picture
      DecoderDied                 the process that decoded a picture ended over it: this file only
      BudgetExceeded          8   no headroom under a cap: raised before anything is sent
        EarlierCapReached     8   no headroom under the cap of the run that began this job; others may go on
      PriceInDoubt            7   the service named an odd price: no create until a person has judged it
      KeyInDoubt                  the same photo and background may be paid for already: this job waits
      IllegalTransition       1   a bug here, not in the input

The codes are a stable interface; README.md lists them for scripts.
"""

import enum


class ExitCode(enum.IntEnum):
    """What the process tells its caller."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    INCOMPLETE = 3
    TEMPORARY = 5
    ACCOUNT = 7
    CAP = 8
    TIME = 10
    LOCKED = 11
    HANGUP = 129
    INTERRUPT = 130
    TERMINATED = 143


class BatchbgError(Exception):
    """Root of the tree; ``exit_code`` is what a command ends with when nothing handles the error."""

    exit_code = ExitCode.INTERNAL


class ConfigError(BatchbgError):
    """A flag, setting, key or path is wrong; the message names it and says what to do."""

    exit_code = ExitCode.USAGE


class NoLedger(ConfigError):
    """There is no ledger at the place that was named."""


class LedgerError(BatchbgError):
    """The ledger cannot be read or written now."""

    exit_code = ExitCode.TEMPORARY


class LedgerUnreachable(LedgerError):
    """The ledger's server has hung up, or is not there; what was being written may be in the ledger or not."""


class LedgerBusy(LedgerError):
    """Another run holds the ledger."""

    exit_code = ExitCode.LOCKED


class LedgerGone(LedgerError):
    """The ledger's files are no longer the ones that are open: nothing may be spent, what is paid for is still noted."""


class LedgerDamaged(LedgerError):
    """What is in the ledger's file is no database, or no longer a whole one."""


class StaleJobError(LedgerError):
    """The job is no longer in the state and version this worker saw."""


class DiskError(BatchbgError):
    """A folder of ours cannot be used now: full, read-only, no longer there."""

    exit_code = ExitCode.TEMPORARY


class OutputRefused(BatchbgError):
    """One result's path cannot be written: the disk does not take its name, its folder is read-only or none."""

    exit_code = ExitCode.INCOMPLETE


class ApiError(BatchbgError):
    """The API refused or did not answer."""

    exit_code = ExitCode.TEMPORARY


class AccountRefused(ApiError):
    """The key is rejected, the credits are used up or the plan refuses: every job would fail alike.

    Attributes:
        status: the HTTP status.
    """

    exit_code = ExitCode.ACCOUNT

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class AccountUnreadable(ApiError):
    """The key lacks the permission to ask for the account; creates may be allowed all the same."""

    exit_code = ExitCode.ACCOUNT


class ApiUnreachable(ApiError):
    """No useful answer now; the same request may be sent again.

    Attributes:
        retry_after_s: seconds the server asked to wait, or None.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, busy: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.busy = busy


class RequestRefused(ApiError):
    """This request is wrong and would be refused again.

    Attributes:
        status: the HTTP status.
        has_reason: whether a code or a message came with it, as in the service's own errors; pages of proxies have none.
    """

    def __init__(self, message: str, *, status: int, has_reason: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.has_reason = has_reason


class WrongProject(BatchbgError):
    """A project has another job's name.

    Attributes:
        name: the project's.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"the project is called {name!r}")
        self.name = name


class PhotoChanged(BatchbgError):
    """A photo or background is not the file that was checked; nothing was paid for it."""


class PlanAbandoned(BatchbgError):
    """A plan was abandoned before its end: the run is being left."""

    exit_code = ExitCode.INTERRUPT


class ResultUnusable(BatchbgError):
    """What was downloaded is not a whole picture."""


class DecoderDied(BatchbgError):
    """The process that decoded a picture came to its end over it.

    Attributes:
        killed: from outside, so that it may go well another time.
    """

    def __init__(self, message: str, *, killed: bool = False) -> None:
        super().__init__(message)
        self.killed = killed


class BudgetExceeded(BatchbgError):
    """A reservation found no headroom under a cap."""

    exit_code = ExitCode.CAP


class EarlierCapReached(BudgetExceeded):
    """There is no headroom under the cap of the run that began this job, which holds until a person gives another."""


class PriceInDoubt(BatchbgError):
    """The service named a price that a person has to judge before another create leaves."""

    exit_code = ExitCode.ACCOUNT


class KeyInDoubt(BatchbgError):
    """Another job with the same key is not settled: no create for it may leave."""


class IllegalTransition(BatchbgError):
    """A job was asked to move along an arrow that does not exist."""
