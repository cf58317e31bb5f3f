"""Opens connections, and says why one cannot be opened without ever repeating a password."""

from __future__ import annotations

import re
from itertools import zip_longest
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from atlas_models.migration_errors import DatabaseUnreachableError

_CONNECT_TIMEOUT_SECONDS = 10
_URL = re.compile(r"postgres(?:ql)?://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_KEYWORDS = re.compile(r"\s*[a-z_]+\s*=")
_PORTS = re.compile(r"[0-9]*(?:,[0-9]*)*", re.ASCII)

# libpq reports every failure to connect as text only, so the advice is chosen by text; the message itself is kept.
_ADVICE = (
    ("password authentication failed", "check the user and the password in the URL"),
    ("no password supplied", "put the password into the URL or into PGPASSWORD"),
    ("could not translate host name", "check the host's name in the URL"),
    ("failed to resolve host", "check the host's name in the URL"),
    ("connection refused", "start the server, or check the host and the port in the URL"),
    ("no such file or directory", "start the server, or name its host in the URL"),
    ("timeout expired", "check the host and the port in the URL, and the firewall between"),
    (
        "peer authentication failed",
        "run this as that user of the operating system, or name host and password in the URL",
    ),
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
        _refuse_stray_parts_of_a_password(conninfo)
        parameters = {key: str(value) for key, value in conninfo_to_dict(conninfo).items() if value is not None}
        if not _PORTS.fullmatch(parameters.get("port", "")):
            raise ValueError
    except (psycopg.Error, ValueError):
        raise DatabaseUnreachableError(
            "the database URL cannot be read",
            hint="it reads postgresql://user:password@host:port/database; in a password write @ : / ? # % as "
            "%40 %3A %2F %3F %23 %25",
        ) from None
    return parameters


def _refuse_stray_parts_of_a_password(conninfo: str) -> None:
    """Refuses a URL whose password was not percent-encoded: libpq takes the rest of it for a host or a database.

    It would then be shown as such in every message.
    """
    url = _URL.match(conninfo)
    if url is None:
        if not _KEYWORDS.match(conninfo):
            raise ValueError
    elif url["authority"].count("@") > 1 or "@" in url["rest"]:
        raise ValueError


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
    hosts = parameters.get("host", parameters.get("hostaddr", "")).split(",")
    ports = parameters.get("port", "").split(",")
    if len(ports) == 1:  # it is that of every host
        ports *= len(hosts)
    places = ",".join(
        (quote(host, safe="") if host.startswith("/") else host) + (f":{port}" if port else "")
        for host, port in zip_longest(hosts, ports, fillvalue="")
    )
    at = "@" if user or password else ""
    return f"postgresql://{user}{password}{at}{places}/{quote(parameters.get('dbname', ''), safe='')}"


def with_database(conninfo: str, dbname: str) -> str:
    """Points a connection URL at another database of the same server.

    Args:
        conninfo: A connection URL or keyword string.
        dbname: The other database.

    Returns:
        A connection string for it.
    """
    return make_conninfo("", **{**connection_parameters(conninfo), "dbname": dbname})


def connect(
    conninfo: str, *, application_name: str = "atlas", timeout: int = _CONNECT_TIMEOUT_SECONDS
) -> psycopg.Connection[TupleRow]:
    """Opens a connection in autocommit mode, with UTF-8 as the client's encoding.

    Args:
        conninfo: A connection URL or keyword string.
        application_name: What the server's pg_stat_activity shows.
        timeout: How many seconds to wait for it, where the URL does not say.

    Returns:
        The connection.

    Raises:
        DatabaseUnreachableError: The URL is wrong or the server refuses; one line, without the password.
    """
    try:
        return psycopg.connect(_conninfo(conninfo, application_name, timeout), autocommit=True)
    except (psycopg.Error, UnicodeError) as error:
        raise _unreachable(conninfo, error) from None


async def connect_async(conninfo: str, *, application_name: str = "atlas") -> psycopg.AsyncConnection[TupleRow]:
    """Opens an asynchronous connection, otherwise as :func:`connect`."""
    try:
        return await psycopg.AsyncConnection.connect(_conninfo(conninfo, application_name), autocommit=True)
    except (psycopg.Error, UnicodeError) as error:
        raise _unreachable(conninfo, error) from None


def _conninfo(conninfo: str, application_name: str, timeout: int = _CONNECT_TIMEOUT_SECONDS) -> str:
    parameters = connection_parameters(conninfo)
    parameters.setdefault("connect_timeout", str(timeout))
    parameters["application_name"] = application_name
    parameters["client_encoding"] = "utf8"
    return make_conninfo("", **parameters)


def _unreachable(conninfo: str, error: Exception) -> DatabaseUnreachableError:
    reason = _first_line(str(error))
    return DatabaseUnreachableError(f"cannot connect to {describe(conninfo)}: {reason}", hint=_advice(reason))


def notice_lost_clients(conn: psycopg.Connection[TupleRow]) -> None:
    """Has the server look each second whether we are still there, and end the session when we are not.

    Without it the session of a killed command goes on for as long as its last statement runs, or waits.
    """
    try:
        conn.execute("set client_connection_check_interval = '1s'")
    except psycopg.Error:
        return  # not supported on every platform; the session then ends with its statement


def _first_line(message: str) -> str:
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    reason = (lines[0] if lines else "no reason given").removeprefix("connection failed: ")
    # The address stands in our own message already.
    return re.sub(r"^connection to server (?:at|on) .*? failed: ", "", reason)


def _advice(reason: str) -> str:
    lowered = reason.lower()
    for fragment, advice in _ADVICE:
        if fragment in lowered:
            return advice
    if "role" in lowered and "does not exist" in lowered:
        return "name an existing user in the URL: postgresql://user@host/database"
    if "database" in lowered and "does not exist" in lowered:
        return "create it with createdb, or correct the name in the URL"
    return "check the URL"
