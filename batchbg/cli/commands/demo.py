"""``batchbg demo``: the sample photos through the sandbox, end to end."""

import sys
from pathlib import Path
from typing import Any

import click

import batchbg
from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.errors import ConfigError
from batchbg.settings import Settings

FOLDER = Path("batchbg-demo")


def samples() -> Path:
    """Return the sample inputs: inside the package where a wheel put them, beside it in a checkout.

    Raises:
        ConfigError: this installation has none.
    """
    package = Path(batchbg.__file__).resolve().parent
    for folder in (package / "sample_inputs", package.parent / "sample_inputs"):
        if (folder / "photos").is_dir():
            return folder
    raise ConfigError("this installation has no sample_inputs; install batchbg anew")


def _own_folder(_parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "sandbox": True,
        "photos": samples() / "photos",
        "backgrounds": samples() / "backgrounds",
        "output": FOLDER / "output",
        "ledger": f"sqlite:///{FOLDER / 'batchbg-sandbox.db'}",
        "report": FOLDER / "report.html",
        "yes": True,
    }


@click.command()
@with_settings("json", *(key for key in COMMON if key != "ledger"), overrides=_own_folder)
@click.pass_context
def command(ctx: click.Context, settings: Settings) -> None:
    """Run the sample photos through the sandbox, end to end, and write the report.

    Needs no key and charges nothing. Everything it makes is in the folder batchbg-demo.
    """
    from batchbg.cli.processing import process
    from batchbg.cli.summary import print_summary

    FOLDER.mkdir(exist_ok=True)
    summary = process(settings, "demo")
    print_summary(summary, settings, then="batchbg plan photos -b backgrounds")
    if not settings.json and not sys.stdout.isatty():  # the table at a terminal says so itself
        output.note(f"results: {settings.output}", settings)
        output.note(f"report:  {settings.report}", settings)
    ctx.exit(summary.exit_code)
