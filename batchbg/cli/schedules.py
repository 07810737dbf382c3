"""Ready files for those who start batchbg every night: cron, systemd, logrotate."""

import contextlib
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from batchbg.errors import ConfigError
from batchbg.settings import load

NO_ALARM: Final = (8, 10, 11)
"""Exit codes that are no alarm at night: a cap or the time is reached, or another run is still at it."""

SHOWN_CAP: Final = 250
"""Credits, where config.toml has no cap: without one a large batch would ask, and nobody is there."""


HARDENING: Final = """\
# A run reads photos, writes to its own folders and talks to the API; it needs nothing of what is denied here.
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=full
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
"""
"""What a service is kept from, as `systemd-analyze security` counts it; folders may lie anywhere but in /usr and /etc."""

OWN_USER: Final = "batchbg"
"""Who runs the service where root prints it and owns everything."""


def systemd(folder: Path) -> str:
    """Return a service, a timer and a logrotate snippet, each under the path where it belongs."""
    home, log = folder.resolve(), _log(folder)
    command = " ".join(_quoted_for_systemd(part) for part in _command(folder))
    service = f"""\
[Unit]
Description=New backgrounds for the photos of {_unspecified(str(home))}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User={_user(home)}
WorkingDirectory={_unspecified(str(home))}
ExecStart={command}
# A cap or the time is reached, another run holds the ledger, or the service was stopped: no alarm.
SuccessExitStatus={" ".join(map(str, NO_ALARM))} 143
StandardOutput=append:{_unspecified(str(log))}
StandardError=append:{_unspecified(str(log))}
# The first SIGTERM ends a run in order, within 10 seconds.
TimeoutStopSec=30
Nice=10
{HARDENING}"""
    timer = """\
[Unit]
Description=batchbg every night

[Timer]
OnCalendar=*-*-* 02:30:00
RandomizedDelaySec=5min
Persistent=true

[Install]
WantedBy=timers.target
"""
    webhook, watch = _receiver(folder), _watcher(folder)
    return "\n".join(
        (
            *_remarks(folder),
            *_to_do_for(_user(home), home),
            f"# systemctl daemon-reload && systemctl enable --now batchbg.timer{' batchbg-webhook' if webhook else ''}",
            "# Or, to have photos taken as they come: systemctl enable --now batchbg-watch in the place of batchbg.timer",
            "",
            "# --- /etc/systemd/system/batchbg.service",
            service,
            "# --- /etc/systemd/system/batchbg.timer",
            timer,
            *(("# --- /etc/systemd/system/batchbg-webhook.service", webhook) if webhook else ()),
            "# --- /etc/systemd/system/batchbg-watch.service",
            watch,
            "# --- /etc/logrotate.d/batchbg",
            _logrotate(log),
        )
    )


def _receiver(folder: Path) -> str:
    """Return a service that receives events, where config.toml names an address for them; "" elsewhere."""
    home = folder.resolve()
    try:
        url = load({}, {}, home / "config.toml").webhook_url
    except ConfigError:
        return ""
    if url is None:
        return ""
    parts = [*_executable(), "webhook", "--config", str(home / "config.toml"), "--path", urlsplit(url).path or "/"]
    return f"""\
[Unit]
Description=Webhook events for the photos of {_unspecified(str(home))}
After=network.target

[Service]
User={_user(home)}
WorkingDirectory={_unspecified(str(home))}
# It listens on 127.0.0.1:8788; a proxy ends TLS and passes {_unspecified(url)} on. Its log is in the journal.
ExecStart={" ".join(_quoted_for_systemd(part) for part in parts)}
SuccessExitStatus=143
Restart=on-failure
RestartSec=5
{HARDENING}
[Install]
WantedBy=multi-user.target
"""


def _watcher(folder: Path) -> str:
    """Return a service that takes photos as they come."""
    home, log = folder.resolve(), _unspecified(str(_log(folder)))
    parts = [*_executable(), "watch", "--config", str(home / "config.toml"), "-v", "--log-format", "json", "--json"]
    parts += [] if _may_watch(folder) else ["--max-credits", str(SHOWN_CAP)]
    return f"""\
[Unit]
Description=New backgrounds for the photos that come into {_unspecified(str(home))}
Wants=network-online.target
After=network-online.target

[Service]
User={_user(home)}
WorkingDirectory={_unspecified(str(home))}
ExecStart={" ".join(_quoted_for_systemd(part) for part in parts)}
# systemctl reload batchbg-watch reads config.toml anew.
ExecReload=kill -HUP $MAINPID
SuccessExitStatus=143
# A wrong config.toml (2) stays wrong until somebody mends it.
RestartPreventExitStatus=2
Restart=on-failure
RestartSec=30
StandardOutput=append:{log}
StandardError=append:{log}
# The first SIGTERM ends a turn in order, within 10 seconds.
TimeoutStopSec=30
Nice=10
{HARDENING}
[Install]
WantedBy=multi-user.target
"""


def cron(folder: Path) -> str:
    """Return a line for `crontab -e`, and a logrotate snippet. Cron mails what is printed: nothing without alarm."""
    home, log = folder.resolve(), _log(folder)
    codes = "|".join(map(str, (0, *NO_ALARM)))
    told = f"batchbg ended with $code, see {log}"
    line = (
        f"cd {shlex.quote(str(home))} && {shlex.join(_command(folder))} >> {shlex.quote(str(log))} 2>&1;"
        f" code=$?; case $code in {codes}) ;; *) echo {_double_quoted(told)} ;; esac"
    )
    return "\n".join(
        (
            *_remarks(folder),
            "# A line for `crontab -e`: every night at 2:30, a mail only when something needs you.",
            "30 2 * * * " + line.replace("%", r"\%"),
            "",
            "# --- /etc/logrotate.d/batchbg",
            _logrotate(log),
        )
    )


def _command(folder: Path) -> list[str]:
    """Return the command with absolute paths; its log is JSON, and so is its summary."""
    parts = [*_executable(), "run", "--config", str(folder.resolve() / "config.toml"), "-v", "--log-format", "json"]
    return [*parts, "--json", *([] if _is_capped(folder) else ["--max-credits", str(SHOWN_CAP)])]


def _executable() -> list[str]:
    beside = Path(sys.executable).parent / "batchbg"
    if beside.exists():
        return [str(beside.absolute())]
    found = shutil.which("batchbg")
    return [found] if found else [sys.executable, "-m", "batchbg"]


def _log(folder: Path) -> Path:
    return folder.resolve() / "batchbg.log"


def _is_capped(folder: Path) -> bool:
    try:
        settings = load({}, {}, folder / "config.toml")
    except ConfigError:
        return False
    return settings.is_capped or settings.yes


def _may_watch(folder: Path) -> bool:
    """Return whether config.toml has a cap that holds turn after turn."""
    try:
        settings = load({}, {}, folder / "config.toml")
    except ConfigError:
        return False
    return settings.per_day is not None or settings.max_credits is not None


def _remarks(folder: Path) -> list[str]:
    """Return comments on what is still missing for a run without a person."""
    path = folder.resolve() / "config.toml"
    remarks = []
    try:
        settings = load({}, {}, path)
    except ConfigError as error:
        return [f"# To do: {error}"]
    if settings.photos is None:
        remarks.append(f"# To do: name the folder of photos in {path}: photos = ...")
    if settings.api_key_file is None:
        remarks.append(f"# To do: name a file that holds the API key in {path}: api_key_file = ...")
    if settings.webhook_url is not None and settings.webhook_secret_file is None:
        remarks.append(f"# To do: name a file that holds the webhook's secret in {path}: webhook_secret_file = ...")
    if not settings.is_capped and not settings.yes:
        remarks.append(f"# {SHOWN_CAP} credits a night at most; [budget] per_day in {path} would be better.")
    return remarks


def _user(home: Path) -> str:
    """Return who is to run it: who asks; where root asks, whose folder it is, or a user that is to be made for it."""
    if os.name != "posix":
        return OWN_USER
    import pwd

    for number in (os.getuid(), home.stat().st_uid if home.exists() else 0):
        with contextlib.suppress(KeyError):
            if number:
                return pwd.getpwuid(number).pw_name
    return OWN_USER


def _to_do_for(user: str, home: Path) -> list[str]:
    """Return what is to be done before a service can run as this user."""
    if user != OWN_USER:
        return []
    shell = f"useradd --system --home-dir {shlex.quote(str(home))} --shell /usr/sbin/nologin {OWN_USER}"
    return [f"# To do, or name another User=: {shell}", f"#        chown -R {OWN_USER}: {shlex.quote(str(home))}"]


def _logrotate(log: Path) -> str:
    return f"""\
"{log}" {{
    monthly
    rotate 12
    compress
    missingok
    notifempty
}}
"""


def _unspecified(text: str) -> str:
    """Return text in which systemd sees no specifiers."""
    return text.replace("%", "%%")


def _quoted_for_systemd(part: str) -> str:
    text = _unspecified(part).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{text}"' if any(letter in part for letter in " \t\"'\\;") else text


def _double_quoted(text: str) -> str:
    """Return text for a shell that is to fill in ``$code``; a path's own letters stay what they are."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`").replace("$", "\\$")
    return '"' + escaped.replace("\\$code", "$code", 1) + '"'
