"""The command line: one module a command, each of which parses, calls, prints and exits.

Commands are imported when they are called: a second run over a known folder spends its time on the folder.
"""

import difflib
import importlib
import logging
import os
import signal
import sys
import traceback
from types import FrameType
from typing import Final, NoReturn

import click

from batchbg import __version__
from batchbg.errors import BatchbgError, ExitCode

COMMANDS: Final = (
    "init",
    "plan",
    "run",
    "resume",
    "status",
    "jobs",
    "retry",
    "resolve",
    "rescue",
    "audit",
    "report",
    "account",
    "doctor",
    "sandbox",
    "demo",
    "ledger",
)
"""In the order of --help: the order in which a person meets them."""


class LazyGroup(click.Group):
    """A group that imports a command's module when it is named, and suggests the nearest for a wrong name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"batchbg.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; name the nearest where there is none."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " `batchbg --help` lists the commands."
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="batchbg")
@click.pass_context
def group(ctx: click.Context) -> None:
    """New backgrounds for a folder of product photos, paid for once each.

    \b
    Try it for nothing:          batchbg demo
    See what would be done:      batchbg plan photos -b backgrounds
    Do it, 200 credits at most:  batchbg run photos -b backgrounds --max-credits 200
    Go on after a power cut:     batchbg resume
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False


def main() -> NoReturn:
    """Run the command line and exit with the documented code."""
    for name, code in (("SIGTERM", ExitCode.TERMINATED), ("SIGHUP", ExitCode.HANGUP)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave(code))
    if hasattr(signal, "SIGUSR1"):
        # A run says how it stands when it gets this; without a handler it would kill, early in a run as elsewhere.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        code = group(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except BatchbgError as error:
        _say(f"batchbg: {error}")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _say("batchbg: interrupted")
        sys.exit(ExitCode.INTERRUPT)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except Exception as error:
        _say(f"batchbg: internal error: {type(error).__name__}: {error}; `-vv` shows where")
        if {"-vv", "-vvv"} & set(sys.argv) or os.environ.get("BATCHBG_VERBOSE", "0") >= "2":
            traceback.print_exc()
        sys.exit(ExitCode.INTERNAL)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _leave(code: ExitCode):  # type: ignore[no-untyped-def]  # a signal handler's type has no name
    def handler(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(int(code))

    return handler


def _say(text: str) -> None:
    from batchbg.cli.logs import say

    say(text, logging.ERROR)
