"""``batchbg init``: write a commented config.toml, print what starts a run every night."""

import os
from pathlib import Path

import click

from batchbg.cli import output
from batchbg.cli.suggest import quoted
from batchbg.core.text import shown
from batchbg.errors import BatchbgError, ConfigError


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--systemd", is_flag=True, help="Print a service, a timer and a logrotate snippet instead.")
@click.option("--cron", is_flag=True, help="Print a line for crontab and a logrotate snippet instead.")
def command(folder: Path, systemd: bool, cron: bool) -> None:
    """Write a commented config.toml into DIR, by default the current folder; it is trusted (`batchbg trust --help`).

    With --systemd or --cron nothing is written: what would run DIR's config.toml every night is printed, with absolute
    paths, ready to be put where its comments say.

    \b
    batchbg init shop
    batchbg init shop --cron
    batchbg init shop --systemd
    """
    if systemd or cron:
        home = str(folder.resolve())
        if shown(home) != home:
            raise ConfigError(f"{shown(home)}: no file for cron or systemd can hold this name; rename the folder")
        from batchbg.cli import schedules

        for wanted, text in ((systemd, schedules.systemd), (cron, schedules.cron)):
            if wanted:
                click.echo(text(folder).rstrip())
        return
    path = folder / "config.toml"
    from batchbg.settings.example import example_toml
    from batchbg.settings.trust import trust

    try:
        folder.mkdir(parents=True, exist_ok=True)
        content = example_toml()
        # To be written by its user alone, whatever the umask: that is what makes later edits the user's.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already; it was not changed") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    output.tell(f"wrote {path}")
    try:
        trust(path, content.encode(), os.environ, made=True)
    except BatchbgError as error:  # no home: what it says counts with --config
        output.tell(f"batchbg: not marked as trusted: {error}", err=True)
    where = "" if folder.resolve() == Path.cwd() else f" --config {quoted(str(path))}"
    output.tell(f"next: name photos, backgrounds and a cap in it, then `batchbg plan{where}`, which sends nothing")
