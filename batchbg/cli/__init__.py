"""The command line: one module a command, each of which parses, calls, prints and exits.

Commands are imported when they are called: a second run over a known folder spends its time on the folder.
"""

import difflib
import gc
import importlib
import logging
import os
import signal
import sys
import traceback
from typing import Final, NoReturn

import click
from click.shell_completion import CompletionItem

from batchbg import __version__
from batchbg.cli import streams
from batchbg.errors import BatchbgError, ExitCode
from batchbg.run.signals import ending

COMMANDS: Final = {
    "init": "Write a commented config.toml; print files for cron and systemd.",
    "trust": "Let a config.toml say where the key and pictures go.",
    "plan": "Show what would be done, why, and what it costs.",
    "run": "Put every photo of a folder on a new background.",
    "watch": "Take photos as they come into a folder, in one run after another.",
    "resume": "Finish what earlier runs began, without looking for photos.",
    "status": "Show the whole ledger: jobs by state, credits, the last runs.",
    "jobs": "List jobs, one line each.",
    "retry": "Open failed and canceled jobs again.",
    "redo": "Plan results anew that are not good enough; run pays for them.",
    "resolve": "Settle jobs whose answer was lost.",
    "rescue": "Fetch paid results that are missing on disk, free.",
    "delete-remote": "Delete older results at the service that are whole on disk.",
    "audit": "Compare the ledger with the account, credit by credit.",
    "report": "Write one HTML page that shows every photo before and after.",
    "review": "Look results over in the browser; accept or reject each.",
    "finish": "Make pictures for shops of the results; free.",
    "account": "Show the balance of the key.",
    "doctor": "Check everything a run depends on, and say how to fix it.",
    "webhook": "Receive the service's events, so that runs need not ask.",
    "sandbox": "Serve a stand-in for the API, to rehearse against.",
    "demo": "Run the sample photos through the sandbox; free.",
    "ledger": "Upgrade, check, copy and export the ledger.",
    "help": "Show a page about a topic, or a command's help.",
}
"""In the order of --help, in which a person meets them; here, so that a list of them imports none."""


CONTINUED: Final = ("plan", "run", "watch", "resume", "retry", "redo", "rescue", "finish", "demo")
"""Commands that go on from where they were interrupted when they are typed again."""


COLLECTING: Final = (50_000, 20, 20)
"""Thresholds of the garbage collector. As Python sets it up it goes through some 100,000 objects of the libraries time and
again, which take 8 % of a start and 6 % of a job, and hold no garbage."""


def module_of(command: str) -> str:
    """Return the name of a command's module."""
    return f"batchbg.cli.commands.{command.replace('-', '_')}"


class LazyGroup(click.Group):
    """A group that imports a command's module when it is named, and suggests the nearest for a wrong name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(module_of(cmd_name)).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name, or an option of the group."""
        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

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
    Try it for nothing:        batchbg demo
    See what would be done:    batchbg plan photos -b backgrounds
    Do it, under a cap:        batchbg run photos -b backgrounds --max-credits 200
    Go on after a power cut:   batchbg resume
    Read about a subject:      batchbg help
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False


def main() -> NoReturn:
    """Run the command line and exit with the documented code."""
    gc.set_threshold(*COLLECTING)
    streams.settle()
    with ending():
        try:
            _run()
        finally:
            if why := streams.lost():
                _say(f"batchbg: not everything could be printed: {why}")


def _run() -> NoReturn:
    if hasattr(signal, "SIGUSR1"):
        # A run says how it stands when it gets this; without a handler it would kill, early in a run as elsewhere.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        code = group(standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        sys.exit(ExitCode.USAGE)
    except BatchbgError as error:
        _say(f"batchbg: {error}")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _say(f"batchbg: interrupted{_how_to_continue()}")
        sys.exit(ExitCode.INTERRUPT)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        _say(f"batchbg: internal error: {said}; `-vv` shows where")
        if "-vv" in sys.argv or logging.getLogger().level == logging.DEBUG:
            _say_where()
        sys.exit(ExitCode.INTERNAL)
    sys.exit(code if isinstance(code, int) else ExitCode.OK)


def _show(error: click.ClickException) -> None:
    """Say what is wrong with a command line; what was typed may come from a list of files."""
    from batchbg.core.text import shown

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()  # a page of help, in which nothing is foreign
        return
    if isinstance(error, click.NoSuchOption):
        from batchbg.cli.options import advise

        error = advise(error)
    text = error.format_message()
    if isinstance(error, click.UsageError):
        # Lists of what is missing have lines of their own, in which nothing is foreign.
        text = text if isinstance(error, click.MissingParameter) else shown(text)
        click.UsageError(text, error.ctx).show()
    else:
        click.ClickException(shown(text)).show()


def _how_to_continue() -> str:
    """Return what continues a command that was interrupted before it could say so itself."""
    from batchbg.cli.suggest import quoted

    if sys.argv[1:] and sys.argv[1] in CONTINUED:
        return f"; nothing is lost: `batchbg {' '.join(map(quoted, sys.argv[1:]))}` continues"
    return ""


def _say_where() -> None:
    from batchbg.cli.logs import shown_lines

    click.echo(shown_lines(traceback.format_exc().rstrip("\n")), err=True)


def _say(text: str) -> None:
    from batchbg.cli.logs import say

    say(text, logging.ERROR)
