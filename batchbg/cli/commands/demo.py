"""``batchbg demo``: the sample photos through the sandbox, end to end."""

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import batchbg
from batchbg.cli import output
from batchbg.cli.logs import say
from batchbg.cli.options import COMMON, DEMO, with_settings
from batchbg.errors import ConfigError, DiskError, ExitCode

if TYPE_CHECKING:
    from batchbg.settings import Settings

DAMAGED: Final = Path("returns", "half-copied.jpg")
"""One photo of the demo that is no use to anybody, so that it shows what becomes of such a photo."""


def samples() -> Path:
    """Return the sample inputs: inside the package where a wheel put them, beside it in a checkout.

    Raises:
        ConfigError: this installation has none.
    """
    package = Path(batchbg.__file__).resolve().parent
    for folder in (package / "sample_inputs", package.parent / "sample_inputs"):
        if (folder / "photos").is_dir():
            return folder
    raise ConfigError("this installation has no sample_inputs; reinstall batchbg")


def _own_folder(_parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "sandbox": True,
        "photos": DEMO / "photos",
        "backgrounds": DEMO / "backgrounds",
        "output": DEMO / "output",
        "ledger": f"sqlite:///{DEMO / 'batchbg-sandbox.db'}",
        "report": DEMO / "report.html",
        "yes": True,
    }


@click.command()
@with_settings("json", *(key for key in COMMON if key != "ledger"), overrides=_own_folder)
@click.pass_context
def command(ctx: click.Context, settings: "Settings") -> None:
    """Run the sample photos through the sandbox, end to end, and write the report.

    Needs no key and charges nothing. Everything it makes is in the folder batchbg-demo. One of the photos is damaged,
    to show what becomes of it: a run would end with 3 for it, the demo ends with 0.
    """
    from batchbg.cli.processing import process
    from batchbg.cli.summary import print_summary

    _lay_out()
    output.note("this is a rehearsal: this machine plays the service, nothing is charged", settings)
    summary = process(settings, "demo")
    if summary.exit_code is ExitCode.INCOMPLETE and summary.photos["rejected"] == 1:
        summary = dataclasses.replace(summary, exit_code=ExitCode.OK)
    print_summary(summary, settings, then=f"batchbg status --ledger {settings.ledger}")
    if not settings.json and not settings.quiet:
        if not sys.stdout.isatty():  # the table at a terminal names it
            say(f"before and after: {settings.report}")
        say("what your own photos would cost: batchbg plan PHOTOS -b BACKGROUNDS")
    ctx.exit(summary.exit_code)


def _lay_out() -> None:
    """Copy the sample inputs into the demo's folder, but for what is there.

    Raises:
        DiskError: they cannot be written.
    """
    source = samples()
    try:
        for name in ("photos", "backgrounds"):
            if not (DEMO / name).is_dir():
                shutil.copytree(source / name, DEMO / name, copy_function=shutil.copyfile)
        damaged = DEMO / "photos" / DAMAGED
        damaged.parent.mkdir(exist_ok=True)
        if not damaged.exists():
            shutil.copyfile(source / "troublesome" / "truncated.jpg", damaged)
    except OSError as error:
        raise DiskError(f"{error.filename or DEMO}: {error.strerror or error}") from error
