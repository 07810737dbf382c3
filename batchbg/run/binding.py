"""What a ledger is for: the API, a service on this machine, or rehearsals. One of them, for good."""

from urllib.parse import urlsplit

from batchbg.core.addresses import is_loopback
from batchbg.ledger import purpose
from batchbg.ledger.store import Ledger
from batchbg.settings import Settings


def bind_purpose(ledger: Ledger, settings: Settings) -> None:
    """Refuse a rehearsal on a real ledger before anything is sent, and the reverse.

    The address alone tells what a ledger is for: an answer may say anything.

    Raises:
        ConfigError: it was used with something else.
    """
    if settings.sandbox:
        purpose.bind(ledger, purpose.SANDBOX)
    else:
        is_here = is_loopback(urlsplit(settings.base_url).hostname or "")
        purpose.bind(ledger, purpose.LOCAL if is_here else purpose.API)
