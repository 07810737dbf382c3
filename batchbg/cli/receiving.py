"""What ``webhook`` does: listen, say where and what came, until a signal ends it."""

import os

from batchbg.cli import output
from batchbg.core.addresses import is_loopback
from batchbg.errors import ConfigError
from batchbg.ledger.engine import database_at
from batchbg.ledger.spool import Spool
from batchbg.run.signals import status_on_signal
from batchbg.settings import Settings, webhook_secret
from batchbg.webhook.receiver import Receiver
from batchbg.webhook.server import WebhookServer


def receive(settings: Settings, listen: tuple[str, int], path: str) -> None:
    """Receive events for the ledger of these settings.

    Raises:
        ConfigError: no secret, no ledger's folder, or the address cannot be had.
        LedgerBusy, DiskError: another process receives them, or they cannot be stored.
    """
    secret = webhook_secret(settings, os.environ)
    database = database_at(settings.ledger)
    if database.folder is None:  # on a server: events wait in a folder of this user's own
        database.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    spool = Spool(database.path)
    host, port = listen
    with spool.receiving() as writer:
        receiver = Receiver(secret, writer)
        try:
            server = WebhookServer(host, port, receiver.application(path))
        except OSError as error:
            raise ConfigError(f"--listen {host}:{port}: {error.strerror or error}") from error
        if not is_loopback(host):
            output.tell(f"batchbg: plain HTTP on {host}: let nothing but a proxy that ends TLS reach it", err=True)
        output.note(f"receiving events at {server.address}{path} into {spool.path}", settings)
        try:
            with status_on_signal(lambda: output.note(_told(receiver), settings)):
                server.run()
        finally:
            output.note(_told(receiver), settings)


def _told(receiver: Receiver) -> str:
    counts = ", ".join(f"{number} {outcome}" for outcome, number in receiver.counts.most_common())
    return f"events so far: {counts or 'none'}"
