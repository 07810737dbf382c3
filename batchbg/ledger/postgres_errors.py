"""What PostgreSQL and its driver refuse, in a person's words."""

from typing import Any, Final

from batchbg.errors import ConfigError, LedgerError, LedgerUnreachable

_WRONG: Final = (
    (
        "password authentication failed",
        "the server does not take this user's password; ~/.pgpass or PGPASSWORD holds it",
    ),
    ("no password supplied", "the server wants a password; ~/.pgpass or PGPASSWORD holds it"),
    ("no pg_hba.conf entry", "the server lets nobody in from here with this user and database: see its pg_hba.conf"),
    ("Peer authentication failed", "on its socket the server takes only the system's user of the same name"),
    ('role "', "the server has no such user: `createuser` makes one"),
    ('database "', "the server has no such database: `createdb -E UTF8 -T template0` makes one"),
    ("could not translate host name", "there is no host of that name"),
    ("Name or service not known", "there is no host of that name"),
    ("server does not support SSL", "the server speaks no TLS, which the URL demands with sslmode"),
    ("certificate verify failed", "the server's certificate is not that of this host"),
    ("certificate", "the certificates do not fit: see sslrootcert, sslcert and sslkey"),
)
"""What of a refused connection a person has to mend, by what the message holds; libpq gives no code."""

_ADVICE: Final = {
    "23": "",
    "25006": "it can only be read there (a standby, or default_transaction_read_only); name the primary server",
    "42501": "this user may not do that: GRANT USAGE, CREATE ON SCHEMA public TO the user, or make it the owner",
    "3F000": "the schema of search_path is not there: CREATE SCHEMA makes it",
    "53100": "the server's disk is full; make room there and run again, nothing further was sent",
    "53300": "the server has no connection left; raise max_connections, or end other programs",
    "55P03": "another program keeps it locked; run again when it has finished",
    "40P01": "another program locks its tables; run again when it has finished",
    "57014": "the server ended the statement (statement_timeout); raise it for this user",
}
"""What to do, by SQLSTATE or its class. Source: PostgreSQL, appendix A."""

_AWAY: Final = ("57P01", "57P02", "57P03", "57P05", "25P03")
"""SQLSTATEs with which a server hangs up, or is not yet up."""


def explained(error: Exception, name: str) -> LedgerError:
    """Return an error as ours, with the ledger and what to do. Neither holds a password.

    Raises:
        ConfigError: it is for a person to mend.
    """
    cause: Any = getattr(error, "orig", error)
    reason = _first_line(str(cause)) or type(cause).__name__
    state = getattr(cause, "sqlstate", None)
    if state is None and _is_about_connecting(cause):
        for words, advice in _WRONG:
            if words in str(cause):
                raise ConfigError(f"ledger {name}: {reason}; {advice}") from error
    if is_unreachable(error):
        return LedgerUnreachable(f"ledger {name}: its server does not answer ({reason}); is it up, and the URL right?")
    advice = _ADVICE.get(state or "", "run again when that is fixed")
    if state in ("25006", "42501", "3F000"):
        raise ConfigError(f"ledger {name}: {reason}; {advice}") from error
    return LedgerError(f"ledger {name}: {reason}; {advice}")


def is_unreachable(error: BaseException | None) -> bool:
    """Return whether the server has hung up or is not there, so that it may be again in a while."""
    import psycopg

    cause = getattr(error, "orig", error)
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = cause.sqlstate
    return state is None or state.startswith("08") or state in _AWAY or state == "53300"


def _is_about_connecting(cause: Any) -> bool:
    import psycopg

    return isinstance(cause, psycopg.OperationalError)


def _first_line(text: str) -> str:
    """Return what counts of a message; that of a connection names each address that was tried."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = [line for line in lines if not line.startswith(("Is the server running", "Multiple connection", "- "))]
    return " ".join((last or lines)[:1]).removeprefix("connection failed: ")
