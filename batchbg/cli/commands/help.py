"""``batchbg help``: pages about one subject each, and the help of every command."""

import difflib
import os
import re
from importlib import resources
from typing import Final

import click
from click.shell_completion import CompletionItem

from batchbg.cli import COMMANDS

TOPICS: Final = (
    "photos",
    "backgrounds",
    "finishing",
    "money",
    "states",
    "reviews",
    "verdicts",
    "cron",
    "watching",
    "webhooks",
    "rehearsal",
    "json",
    "python",
    "machines",
    "faster",
)
"""In the order of the list; each is batchbg/topics/<name>.md, which begins with "# <Name>: <summary>"."""

LINK: Final = re.compile(r"\[([^]\n]+)\]\([^)\s]+\)")
"""A link of Markdown; its first group is what a terminal shows."""


def page(topic: str) -> str:
    """Return a topic's page for a terminal: Markdown, whose links are their texts."""
    text = resources.files("batchbg").joinpath("topics", f"{topic}.md").read_text(encoding="utf-8")
    return LINK.sub(r"\1", text)


def summary(topic: str) -> str:
    """Return what a topic is about, one sentence from its first line."""
    about = page(topic).partition("\n")[0].partition(": ")[2]
    return f"{about[:1].upper()}{about[1:]}."


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    items = [CompletionItem(name, help=summary(name)) for name in TOPICS if name.startswith(incomplete)]
    return items + [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]


@click.command()
@click.argument("subject", metavar="[TOPIC | COMMAND]", nargs=-1, shell_complete=_complete)
@click.option("--man", is_flag=True, help="Print the manual page, all commands in one, for `man`.")
@click.pass_context
def command(ctx: click.Context, subject: tuple[str, ...], man: bool) -> None:
    """Show a page about a topic, or a command's help; without either, list them.

    \b
    batchbg help money
    batchbg help run
    batchbg help --man > ~/.local/share/man/man1/batchbg.1    then: man batchbg
    """
    if man:
        from batchbg.cli.manual import manual

        if subject:
            raise click.UsageError("--man prints the whole page; name nothing with it.", ctx)
        assert ctx.parent is not None
        click.echo(manual(ctx.parent, {topic: summary(topic) for topic in TOPICS}), nl=False)
    elif not subject:
        click.echo(_listed(ctx))
    elif len(subject) == 1 and subject[0] in TOPICS:
        from batchbg.settings import KEY_VARIABLE

        os.environ.pop(KEY_VARIABLE, None)  # a pager is another program
        click.echo_via_pager(page(subject[0]))
    else:
        click.echo(_help_of(ctx, subject))


def _listed(ctx: click.Context) -> str:
    """Return all topics and commands, one a line."""
    formatter = ctx.make_formatter()
    formatter.write_usage("batchbg help", "[TOPIC | COMMAND]")
    for title, rows in (("Topics", [(name, summary(name)) for name in TOPICS]), ("Commands", list(COMMANDS.items()))):
        with formatter.section(title):
            formatter.write_dl(rows)
    return formatter.getvalue().rstrip("\n")


def _help_of(ctx: click.Context, names: tuple[str, ...]) -> str:
    """Return what ``--help`` says of a command, or of one within a group: ("ledger", "check").

    Raises:
        click.UsageError: there is no such command.
    """
    assert ctx.parent is not None
    inner = ctx.parent
    known = [*TOPICS, *COMMANDS]
    for depth, name in enumerate(names):
        following = inner.command.get_command(inner, name) if isinstance(inner.command, click.Group) else None
        if following is None:
            raise click.UsageError(_unknown(names, depth, known), ctx)
        inner = click.Context(following, info_name=name, parent=inner)
        known = following.list_commands(inner) if isinstance(following, click.Group) else []
    return inner.get_help()


def _unknown(names: tuple[str, ...], depth: int, known: list[str]) -> str:
    near = difflib.get_close_matches(names[depth].lower(), known, n=1)
    hint = f"Did you mean {' '.join((*names[:depth], *near))!r}?" if near else "`batchbg help` lists them all."
    return f"There is no topic or command {' '.join(names)!r}. {hint}"
