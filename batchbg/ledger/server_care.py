"""What of a PostgreSQL server's set-up may lose what was committed."""

import sqlalchemy as sa


def dangers(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return (what is wrong, what to do) for whatever may lose a commit that was confirmed."""
    found = []
    if _is_off(connection, "fsync"):
        found.append(("fsync is off: a crash of the server's machine loses everything", "ALTER SYSTEM SET fsync = on"))
    if _is_off(connection, "full_page_writes"):
        advice = "ALTER SYSTEM SET full_page_writes = on"
        found.append(("full_page_writes is off: a crash of the server's machine can spoil pages", advice))
    if connection.scalar(sa.text("SELECT pg_is_in_recovery()")):
        found.append(("it is a standby: a run needs the primary server", "name the primary with --ledger"))
    replicas = connection.execute(
        sa.text(
            "SELECT application_name, coalesce(host(client_addr), 'this machine'), sync_state FROM pg_stat_replication"
        )
    ).all()
    for name, address, how in replicas:
        if how not in ("sync", "quorum"):
            found.append(
                (
                    f"the replica {name or '(without a name)'} at {address} is asynchronous: if it takes over, it may not"
                    " know of the last creates, and pay twice",
                    "name it in synchronous_standby_names, or never let it take over by itself",
                )
            )
    return found


def _is_off(connection: sa.Connection, setting: str) -> bool:
    value: str = connection.scalar(sa.text("SELECT current_setting(:name)"), {"name": setting}) or ""
    return value == "off"
