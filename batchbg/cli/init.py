"""``batchbg init``: write a commented config.toml."""

from pathlib import Path

import click

from batchbg.errors import ConfigError
from batchbg.example import example_toml


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write a commented config.toml into DIR, by default the current folder."""
    path = folder / "config.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(example_toml())
    except FileExistsError as error:
        raise ConfigError(f"{path} exists; it is left as it is") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    click.echo(f"wrote {path}")
