"""Where runs are logged: a tracking URI made absolute, and a quick answer to whether it can be reached.

Nothing here imports mlflow, so a server that is down costs milliseconds instead of the import and its retries.
"""

from __future__ import annotations

import re
import socket
import sqlite3
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

CONNECT_SECONDS = 5.0
DATABASE_PORTS = {"postgresql": 5432, "postgres": 5432, "mysql": 3306, "mssql": 1433}
KNOWN = "sqlite:///mlruns/mlflow.db, http(s)://HOST:PORT, postgresql://... or null for no tracking"
_SQLITE = re.compile(r"^sqlite(?:\+\w+)?:(?P<rest>.*)$", re.DOTALL)
_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/@\s]*@")


class UnreachableError(Exception):
    """A tracking address that cannot be used, with the reason in one line."""


@dataclass(frozen=True)
class Address:
    """A tracking URI, resolved against the working folder of the moment.

    Attributes
    ----------
    uri : str
        What MLflow is given; absolute where it names a file.
    kind : {"sqlite", "server", "database"}
        A file, an MLflow server, or a database that is spoken to directly.
    database : Path or None
        The file of a ``sqlite`` address.
    """

    uri: str
    kind: Literal["sqlite", "server", "database"]
    database: Path | None = None

    @property
    def root(self) -> Path | None:
        """Folder of the artifacts of a ``sqlite`` address."""
        return self.database.parent if self.database is not None else None


def resolve(uri: str) -> Address:
    """Read a tracking URI.

    Raises
    ------
    UnreachableError
        When it is none of the kinds that can hold runs.
    """
    text = uri.strip()
    file = _SQLITE.match(text)
    if file is not None:
        rest = file["rest"]
        if not rest.startswith("///") or rest in ("///", "///:memory:"):
            raise UnreachableError(f"{text!r} names no database file; expected {KNOWN}")
        path = Path(rest[3:].partition("?")[0]).expanduser().absolute()
        return Address(f"sqlite:///{path}", "sqlite", path)
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in ("http", "https"):
        if not _host_port(text)[0]:
            raise UnreachableError(f"{shown(text)!r} names no host; expected {KNOWN}")
        return Address(text.rstrip("/"), "server")
    if scheme.partition("+")[0] in DATABASE_PORTS:
        return Address(text, "database")
    raise UnreachableError(f"{shown(text)!r} is no tracking address that mmx knows; expected {KNOWN}")


def reach(address: Address) -> None:
    """Check that an address answers; create the folder of a database file.

    Raises
    ------
    UnreachableError
        With the reason.
    """
    if address.database is not None:
        _reach_file(address.database)
        return
    host, port = _host_port(address.uri)
    scheme = urlsplit(address.uri).scheme
    behind_proxy = address.kind == "server" and scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)
    if not host or behind_proxy:
        return
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise UnreachableError(f"nothing answers at {host}:{port} ({error.strerror or error})") from error


def shown(text: str) -> str:
    """Text with the passwords of URIs in it hidden."""
    return _PASSWORD.sub(r"\1:***@", text)


def _host_port(uri: str) -> tuple[str, int]:
    try:
        parts = urlsplit(uri)
        scheme = parts.scheme.partition("+")[0]
        default = DATABASE_PORTS.get(scheme, 443 if scheme == "https" else 80)
        return parts.hostname or "", parts.port or default
    except ValueError as error:
        raise UnreachableError(f"{shown(uri)!r} cannot be read: {error}") from error


def _reach_file(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnreachableError(f"the folder {database.parent} cannot be made ({error.strerror})") from error
    if database.is_dir():
        raise UnreachableError(f"{database} is a folder; expected a database file or a free name")
    if not database.exists():
        return
    try:
        connection = sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=CONNECT_SECONDS)
        try:
            # Taking the write lock and giving it back shows a read-only, locked or foreign file without changing it.
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise UnreachableError(f"the database {database} cannot be written ({error})") from error
