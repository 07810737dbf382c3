"""``batchbg sandbox``: serve the local stand-in for the API."""

from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.addresses import is_loopback
from batchbg.errors import ExitCode
from batchbg.settings.kinds import duration_s

if TYPE_CHECKING:
    from batchbg.settings import Settings


class _Duration(click.ParamType[float]):
    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return duration_s(value)
        except (ValueError, TypeError):
            self.fail(f"{value!r} is not a time such as 500ms, 2s or 1m", param, ctx)


@click.command()
@click.option("--port", default=8787, show_default=True, metavar="N", help="0 picks a free one.")
@click.option("--listen", default="127.0.0.1", show_default=True, metavar="HOST", help="Address to listen on.")
@click.option("--credits", "balance", default=10_000, show_default=True, metavar="N", help="Starting balance.")
@click.option(
    "--render-time", type=_Duration(), default="2s", show_default=True, metavar="2s", help="Time to render one image."
)
@click.option("--slots", type=int, metavar="N", help="Images rendered at once; the others are queued.")
@click.option("--rate-limit", type=float, metavar="R", help="Requests a second; more are refused with 429.")
@click.option("--latency", type=_Duration(), default="0s", metavar="50ms", help="Before every answer.")
@click.option(
    "--fault",
    multiple=True,
    metavar="OPERATION:KIND[:...]",
    help='Misbehave: "create:hang_up:nth=3", "status:status:status=500,probability=0.1"; repeatable.',
)
@click.option("--webhook", metavar="URL", help="Send events to this address; GET /_sandbox/books counts them.")
@click.option("--webhook-secret", metavar="S", help="What they are signed with.")
@click.option("--seed", type=int, metavar="N", help="Seed for everything random.")
@click.option(
    "--set",
    "others",
    multiple=True,
    metavar="NAME=VALUE",
    help='Any other setting: "background_cutout=fast", "in_flight_limit=3"; GET /_sandbox/config lists them.',
)
@with_settings(*COMMON)
@click.pass_context
def command(
    ctx: click.Context,
    settings: "Settings",
    port: int,
    listen: str,
    balance: int,
    render_time: float,
    slots: int | None,
    rate_limit: float | None,
    latency: float,
    fault: tuple[str, ...],
    webhook: str | None,
    webhook_secret: str | None,
    seed: int | None,
    others: tuple[str, ...],
) -> None:
    """Serve a stand-in for the API on this machine, to rehearse against: any key, nothing charged.

    \b
    batchbg sandbox &
    MAGIC_HOUR_API_KEY=any batchbg run photos --base-url http://127.0.0.1:8787 --ledger sqlite:///rehearsal.db -o rehearsal
    """
    from batchbg.sandbox import Fault, SandboxConfig, SandboxServer, serve
    from batchbg.sandbox.rendering import is_rough
    from batchbg.sandbox.rough import TOLD

    config = SandboxConfig(
        host=listen,
        port=port,
        credits=balance,
        render_s=render_time,
        slots=slots,
        requests_per_second=rate_limit,
        latency_s=latency,
        seed=seed,
        webhook_url=webhook,
        webhook_secret=webhook_secret,
        control=is_loopback(listen),
    ).with_text(others)
    faults = [Fault.parse(text) for text in fault]
    if not is_loopback(listen):
        output.tell(f"batchbg: anybody who reaches {listen} can use this sandbox", err=True)

    if config.background_cutout == "cut" and is_rough():
        output.note(TOLD, settings)

    def ready(server: SandboxServer) -> None:
        for one in faults:
            server.faults.plant(one)
        output.tell(f"sandbox at {server.url}")

    try:
        stopped_by = serve(config, ready)
    except OSError as error:
        raise click.UsageError(f"cannot listen on {listen}:{port}: {error.strerror or error}") from error
    ctx.exit(ExitCode(128 + stopped_by) if stopped_by else ExitCode.OK)
