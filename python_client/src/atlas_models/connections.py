"""Opens connections, and says why one cannot be opened without ever repeating a password."""

from __future__ import annotations

import re
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from atlas_models.migration_errors import DatabaseUnreachableError

_CONNECT_TIMEOUT_SECONDS = 10
_LOOKS_LIKE_LIBPQ = re.compile(r"postgres(?:ql)?://|[a-z_]+\s*=")

# libpq reports every failure to connect as text only, so the advice is chosen by text; the message itself is kept.
_ADVICE = (
    ("password authentication failed", "check the user and the password in the URL"),
    ("no password supplied", "put the password into the URL or into PGPASSWORD"),
    ("could not translate host name", "check the host's name in the URL; '@' in a password is written %40"),
    ("connection refused", "start the server, or check the host and the port in the URL"),
    ("no such file or directory", "start the server, or name its host in the URL"),
    ("timeout expired", "check the host and the port in the URL, and the firewall between"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf must allow this user from this machine"),
)


def connection_parameters(conninfo: str) -> dict[str, str]:
    """Takes a connection URL (or keyword string) apart.

    Args:
        conninfo: ``postgresql://user:password@host:port/database`` or ``host=… dbname=…``.

    Returns:
        The parameters by libpq's names.

    Raises:
        DatabaseUnreachableError: It cannot be parsed. libpq's own words are left out: they may quote the password.
    """
    try:
        if not _LOOKS_LIKE_LIBPQ.match(conninfo):
            raise ValueError
        return {key: str(value) for key, value in conninfo_to_dict(conninfo).items() if value is not None}
    except (psycopg.Error, ValueError):
        raise DatabaseUnreachableError(
            "the database URL cannot be read",
            hint="it reads postgresql://user:password@host:port/database; in a password write @ : / ? # % as "
            "%40 %3A %2F %3F %23 %25",
        ) from None


def describe(conninfo: str) -> str:
    """Writes a connection URL for a person to read, the password masked.

    Args:
        conninfo: A connection URL or keyword string that can be parsed.

    Returns:
        A URL with ``***`` in the place of the password.
    """
    parameters = connection_parameters(conninfo)
    user = quote(parameters.get("user", ""), safe="")
    password = ":***" if "password" in parameters else ""
    host = parameters.get("host", parameters.get("hostaddr", ""))
    host = quote(host, safe="") if host.startswith("/") else host
    port = f":{parameters['port']}" if "port" in parameters else ""
    at = "@" if user or password else ""
    # A part of a password that was not percent-encoded ends up before an '@' in the host.
    if "@" in host:
        host = "***@" + host.rpartition("@")[2]
    return f"postgresql://{user}{password}{at}{host}{port}/{quote(parameters.get('dbname', ''), safe='')}"


def with_database(conninfo: str, dbname: str) -> str:
    """Points a connection URL at another database of the same server.

    Args:
        conninfo: A connection URL or keyword string.
        dbname: The other database.

    Returns:
        A connection string for it.
    """
    return make_conninfo("", **{**connection_parameters(conninfo), "dbname": dbname})


def connect(conninfo: str, *, application_name: str = "atlas") -> psycopg.Connection[TupleRow]:
    """Opens a connection in autocommit mode, with UTF-8 as the client's encoding.

    Args:
        conninfo: A connection URL or keyword string.
        application_name: What the server's pg_stat_activity shows.

    Returns:
        The connection.

    Raises:
        DatabaseUnreachableError: The URL is wrong or the server refuses; one line, without the password.
    """
    parameters = connection_parameters(conninfo)
    parameters.setdefault("connect_timeout", str(_CONNECT_TIMEOUT_SECONDS))
    parameters["application_name"] = application_name
    parameters["client_encoding"] = "utf8"
    try:
        return psycopg.connect(make_conninfo("", **parameters), autocommit=True)
    except (psycopg.Error, UnicodeError) as error:
        reason = _first_line(str(error), parameters)
        raise DatabaseUnreachableError(
            f"cannot connect to {describe(conninfo)}: {reason}", hint=_advice(reason)
        ) from None


def _first_line(message: str, parameters: dict[str, str]) -> str:
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    reason = (lines[0] if lines else "no reason given").removeprefix("connection failed: ")
    # With several addresses for one host libpq gives a line for each; the last part says why.
    reason = re.sub(r"^connection to server (?:at|on) .*? failed: ", "", reason)
    host = parameters.get("host", "")
    secrets = [parameters.get("password", ""), host if "@" in host else ""]
    for secret in filter(None, secrets):
        reason = reason.replace(secret, "***")
    return reason


def _advice(reason: str) -> str:
    lowered = reason.lower()
    for fragment, advice in _ADVICE:
        if fragment in lowered:
            return advice
    if "database" in lowered and "does not exist" in lowered:
        return "create it with createdb, or correct the name in the URL"
    return "check the URL"
