"""Sending an event to oneself, the way that the service's events take: through the public address."""

import dataclasses
import secrets
import time
from typing import Final

from batchbg.api.trial_post import post
from batchbg.core.webhook_event import Event, EventType, as_line
from batchbg.core.webhook_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from batchbg.errors import ApiUnreachable
from batchbg.ledger.spool import Spool

ARRIVES_S: Final = 5.0
"""Seconds for which an event that was acknowledged is looked for: it is stored before that."""

LOOK_AGAIN_S: Final = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """What became of an event that was sent to oneself.

    Attributes:
        took_s: seconds until it was found beside the ledger; None where it did not arrive.
        status: of the answer to it; None where there was none.
        trouble: why there was none.
    """

    took_s: float | None = None
    status: int | None = None
    trouble: str = ""


def send_trial(url: str, secret: bytes, spool: Spool) -> Trial:
    """Send an event to the public address of a receiver, and look for it beside the ledger.

    Raises:
        DiskError: the folder of events cannot be read.
    """
    event = Event(EventType.TRIAL, f"trial-{secrets.token_hex(8)}")
    body, began = as_line(event), time.monotonic()
    timestamp = str(int(time.time())).encode()
    signed = {
        SIGNATURE_HEADER: sign(secret, timestamp, body).decode(),
        TIMESTAMP_HEADER: timestamp.decode(),
    }
    try:
        status = post(url, body, signed)
    except ApiUnreachable as error:
        return Trial(trouble=str(error))
    if not 200 <= status < 300:
        return Trial(status=status)
    give_up_at = time.monotonic() + ARRIVES_S
    while True:
        for stored in spool.fresh():
            if stored.event == event:
                spool.remove([stored.name])
                return Trial(time.monotonic() - began, status)
        if time.monotonic() >= give_up_at:
            return Trial(status=status)
        time.sleep(LOOK_AGAIN_S)
