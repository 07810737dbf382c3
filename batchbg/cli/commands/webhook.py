"""``batchbg webhook``: receive the service's events, for the runs of a ledger."""

import re
from typing import TYPE_CHECKING

import click

from batchbg.cli.options import COMMON, with_settings

if TYPE_CHECKING:
    from batchbg.settings import Settings


class _Address(click.ParamType[tuple[str, int]]):
    name = "address"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]/\s]+)):([0-9]{1,5})", str(value))
        if not found or int(found[3]) > 65535:
            self.fail(f"{value!r} is not an address such as 127.0.0.1:8788", param, ctx)
        return found[1] or found[2], int(found[3])


class _Path(click.ParamType[str]):
    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"/[\w./~-]*", str(value), re.ASCII):
            self.fail(f"{value!r} is not a path such as /webhook", param, ctx)
        return str(value)


@click.command()
@click.option(
    "--listen",
    type=_Address(),
    default="127.0.0.1:8788",
    show_default=True,
    metavar="HOST:PORT",
    help="Where to listen.",
)
@click.option(
    "--path", type=_Path(), default="/webhook", show_default=True, metavar="PATH", help="Of the public address."
)
@with_settings(*COMMON)
def command(settings: "Settings", listen: tuple[str, int], path: str) -> None:
    """Receive the service's webhook events, so that runs need not ask how renders stand, and lost creates are found.

    It stores them beside the ledger, whether or not a run is at work, and serves plain HTTP: a proxy that ends TLS stands
    before it. The secret is that of the service's developer hub: MAGIC_HOUR_WEBHOOK_SECRET, or webhook_secret_file in
    config.toml. See `batchbg help webhooks`.

    \\b
    batchbg webhook
    batchbg webhook --listen 127.0.0.1:9000 --path /hooks/batchbg
    """
    from batchbg.cli.receiving import receive

    receive(settings, listen, path)
