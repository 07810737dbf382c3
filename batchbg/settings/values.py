"""The values of all settings of one invocation."""

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path

from batchbg.core import zone
from batchbg.core.budget import Caps
from batchbg.core.finishing import Profile
from batchbg.core.paint import Paint
from batchbg.core.pairing import Tolerance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of one invocation, checked."""

    photos: Path | None
    files: tuple[Path, ...]
    backgrounds: Path | Paint | None
    output: Path
    ledger: str = dataclasses.field(repr=False)  # a URL may hold a password
    base_url: str
    sandbox: bool
    max_credits: int | None
    max_files: int | None
    max_duration: float | None
    pilot: int | None
    requests_per_second: float
    max_in_flight: int
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    files_from: str | None
    null: bool
    max_depth: int | None
    background_policy: str
    background_map: Path | None
    on_mismatch: str
    force: bool
    again: bool
    first_page: bool
    allow_blank: bool
    prefer: str
    portable_names: bool
    format: str
    quality: int
    flatten: tuple[int, int, int] | None
    keep_received: bool
    delete_remote: bool
    exec: tuple[str, ...] | None
    plan: Path | None
    dry_run: bool
    yes: bool
    confirm_batch_over: int
    json: bool
    log_format: str
    verbose: int
    quiet: bool
    retry_lock: float
    strict: bool
    report: Path | None
    finish: tuple[str, ...]
    metrics_file: Path | None
    per_day: int | None
    per_month: int | None
    total: int | None
    keep_balance: int | None
    price_per_credit: float | None
    timezone: str | None
    still_for: float
    poll_every: float
    give_up_after: float
    exec_timeout: float
    render_patience: float
    max_distortion: float
    max_blur: float
    max_upload_bytes: int
    api_key_file: Path | None
    ping_url: str | None = dataclasses.field(repr=False)
    webhook_url: str | None
    webhook_secret_file: Path | None
    profiles: Mapping[str, Profile]

    @property
    def caps(self) -> Caps:
        """The caps on credits."""
        return Caps(
            run=self.max_credits,
            day=self.per_day,
            month=self.per_month,
            total=self.total,
            keep_balance=self.keep_balance,
        )

    @property
    def is_capped(self) -> bool:
        """Whether some cap holds the run, so that nobody has to be asked."""
        return self.max_files is not None or self.pilot is not None or self.caps.are_set

    @property
    def tolerance(self) -> Tolerance:
        """What counts as a similar background."""
        return Tolerance(self.max_distortion, self.max_blur)

    @property
    def originals(self) -> list[Path]:
        """Where photos and backgrounds lie, as far as that is a place: folders, or one background's file."""
        return [one for one in (self.photos, self.backgrounds) if isinstance(one, Path)]

    @property
    def zone(self) -> datetime.tzinfo | None:
        """Zone in which days and months begin; None is the system's."""
        return zone.named(self.timezone) if self.timezone else None
