"""``batchbg trust``: let a config.toml say where the key and pictures go."""

import os
from pathlib import Path

import click

from batchbg.cli import output


@click.command()
@click.argument("file", metavar="[FILE]", default="config.toml", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Let FILE, by default ./config.toml, say where the key and pictures go. Read it first.

    Without this a ./config.toml may name neither the API's host, the key file or pings, nor folders and ledgers outside
    of its own folder, nor have results deleted at the service: somebody else may have put it there. What `batchbg init` wrote is trusted, and so is whatever
    --config names. Once FILE is changed or moved it has to be trusted again.

    \b
    batchbg trust
    batchbg trust shop/config.toml
    """
    from batchbg.settings import needs_trust, read_table
    from batchbg.settings.config_files import said_of
    from batchbg.settings.trust import trust

    content, table = read_table(file)
    told = list(needs_trust(file, table))
    trust(file, content, os.environ)
    output.tell(f"trusted, as it is now: {file.absolute()}")
    for key, what in told:
        output.tell(f"  {key} = {said_of(table, key)!r}: {what}")
