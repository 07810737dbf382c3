"""Every setting of the sandbox, checked when it is built."""

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from batchbg.core.addresses import check_host
from batchbg.errors import ConfigError
from batchbg.sandbox.checks import check_fields

PRICE_CREDITS: Final = 5
"""Credits an image. Source: spec, POST /v1/image-background-remover."""

DAY_S: Final = 86_400.0

FIXED: Final = frozenset({"host", "port", "certificate", "account_id", "seed", "max_stored_bytes", "max_records"})
"""Settings that are read once, at the start; every other one can be changed while the sandbox runs."""


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """How the sandbox behaves when nothing goes wrong.

    Durations are seconds by the sandbox's own clock, which tests may push forward; ``latency_s``, ``upload_s`` and
    the bandwidth are really waited for.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        certificate: PEM file with a certificate and its key, to be reached by https; None is plain http.
        api_key: the only key accepted; None accepts any that is not empty.
        account_id: None draws ``sandbox-`` and eight hex digits, since a new sandbox knows nothing of an old one.
        tier: what the account endpoint answers.
        credits: the starting balance; a change at run time sets the balance.
        price_credits: charged for one create.
        render_s: median time one render takes.
        render_sigma: spread of the lognormal render time; 0 makes every render take ``render_s``.
        queue_s: least time a job is ``queued``.
        slots: renders at once, later jobs stay ``queued``; None is unlimited.
        in_flight_limit: unfinished jobs the account may have; None is unlimited.
        over_limit: whether a create over ``in_flight_limit`` is queued or refused with 429.
        requests_per_second: API requests accepted in any one second, the rest get 429; None is unlimited.
        retry_after: what a 429 says about when to come back.
        latency_s: waited before every answer of the API.
        upload_s: waited before every upload is acknowledged.
        bandwidth_bytes_per_s: of each single transfer on a signed URL; None is unlimited.
        download_url_ttl_s: 24 h. Source: docs, inputs-and-outputs.
        upload_url_ttl_s: not documented; ``expires_at`` says it.
        asset_ttl_s: 7 days. Source: docs, inputs-and-outputs.
        unknown_asset: whether a create with an unknown, never uploaded or expired path is refused with 422, or is
            charged and ends in a job error with a refund. Which one the service does is not documented.
        after_delete: whether a deleted project answers with ``enabled: false`` or 404; not documented either.
        chunked_uploads: whether a PUT without Content-Length is taken; storage services commonly refuse it.
        max_body_bytes: of an upload; 200 MB is the free tier's limit. Source: docs, inputs-and-outputs.
        max_json_bytes: of a request to the API; a limit of the sandbox.
        background_cutout: ``cut`` really removes the background; ``fast`` draws a small PNG of the right size that
            names its photo; ``echo`` returns the photo itself as PNG.
        webhook_url: where events are sent; None sends none.
        webhook_secret: what they are signed with.
        control: whether ``/_sandbox/`` is served.
        seed: of render times and of the faults' probabilities; None differs every time.
        max_stored_bytes: of uploads, and as much again of results; the least recently used go first.
        max_records: projects and assets remembered; the oldest go first. About 1 kB each.
    """

    host: str = "127.0.0.1"
    port: int = 0
    certificate: str | None = None
    api_key: str | None = None
    account_id: str | None = None
    tier: Literal["free", "creator", "pro", "business"] = "creator"
    credits: int = 10_000
    price_credits: int = PRICE_CREDITS
    render_s: float = 0.3
    render_sigma: float = 0.0
    queue_s: float = 0.0
    slots: int | None = None
    in_flight_limit: int | None = None
    over_limit: Literal["queue", "refuse"] = "queue"
    requests_per_second: float | None = None
    retry_after: Literal["none", "seconds", "date"] = "seconds"
    latency_s: float = 0.0
    upload_s: float = 0.0
    bandwidth_bytes_per_s: float | None = None
    download_url_ttl_s: float = DAY_S
    upload_url_ttl_s: float = DAY_S
    asset_ttl_s: float = 7 * DAY_S
    unknown_asset: Literal["refuse", "job_error"] = "refuse"
    after_delete: Literal["disabled", "not_found"] = "disabled"
    chunked_uploads: bool = False
    max_body_bytes: int = 200_000_000
    max_json_bytes: int = 1_000_000
    background_cutout: Literal["cut", "fast", "echo"] = "cut"
    webhook_url: str | None = None
    webhook_secret: str | None = None
    control: bool = True
    seed: int | None = None
    max_stored_bytes: int = 512_000_000
    max_records: int = 100_000

    def __post_init__(self) -> None:
        check_fields(self)
        if self.requests_per_second == 0 or self.bandwidth_bytes_per_s == 0:
            raise ConfigError("a rate of 0 lets nothing through; leave it out for no limit")
        if self.account_id is not None and not self.account_id.startswith("sandbox"):
            raise ConfigError(f"account_id must begin with 'sandbox', not {self.account_id!r}")
        if self.webhook_url is not None:
            check_host(self.webhook_url, "webhook_url", "events")
            if not self.webhook_secret:
                raise ConfigError("webhook_url: events are signed; give webhook_secret too")

    def changed(self, changes: dict[str, Any]) -> "SandboxConfig":
        """Return a copy with ``changes``, as asked for while the sandbox runs.

        Raises:
            ConfigError: a name is unknown, fixed at the start, or its value is out of range.
        """
        for name in changes:
            if name in FIXED:
                raise ConfigError(f"{name} cannot be changed while the sandbox runs")
        return self._replaced(changes)

    def with_text(self, settings: Iterable[str]) -> "SandboxConfig":
        """Return a copy with ``settings`` such as "slots=2", for the command line; values are JSON where they can be.

        Raises:
            ConfigError: a name is unknown or its value is out of range.
        """
        changes: dict[str, Any] = {}
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals:
                raise ConfigError(f"{setting!r} should be NAME=VALUE")
            try:
                changes[name.strip()] = json.loads(value)
            except ValueError:
                changes[name.strip()] = value
        return self._replaced(changes)

    def _replaced(self, changes: dict[str, Any]) -> "SandboxConfig":
        known = {field.name for field in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                raise ConfigError(f"no such setting: {name}")
        return dataclasses.replace(self, **changes)
