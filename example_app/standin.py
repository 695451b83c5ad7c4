"""A folder → the stand-in for the service: both accounts, their keys checked, over SQLite."""

from __future__ import annotations

import hmac
import json
import math
import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from example_app import accounts

MOST = 500  # objects an account keeps; the oldest go first

SCHEMA = """
create table if not exists accounts (application text, digest text, unique (application, digest));
create table if not exists objects (
    number integer primary key autoincrement,
    id text unique not null, application text not null, class text not null,
    created text not null, body text not null
);
create index if not exists of_class on objects (application, class, created, number);
"""

SELECT = "select id, created, body from objects where application = ? and class = ? order by "

# `order` of a request → SQL. Only these can be asked for, so nothing of a request becomes SQL.
ORDERS = {
    "createdAt": SELECT + "created, number limit ?",
    "-createdAt": SELECT + "created desc, number desc limit ?",
}

OWN = {"objectId", "createdAt", "updatedAt"}  # fields the service sets itself


class RefusedError(Exception):
    """A request the service does not serve: an HTTP status and what it says."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Store:
    """The database in `folder`, made where there is none. Safe with several threads and processes.

    `known` says who may come in: it replaces what the database held of that, so that a key no
    longer listed is no longer accepted. Its seeds go only into classes that are empty.
    """

    def __init__(
        self,
        folder: Path,
        known: Mapping[str, Mapping[str, Any]],
        clock: Callable[[], datetime] = now,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = folder / "standin.sqlite3"
        self._clock = clock
        with self._open() as database:
            database.executescript(SCHEMA)
        with self._open() as database:
            database.execute("begin immediate")
            database.execute("delete from accounts")
            database.executemany(
                "insert into accounts values (?, ?)",
                [(name, key) for name, account in known.items() for key in account["accepts"]],
            )
        for name, account in known.items():
            for kind, objects in account["seeds"].items():
                if not self.newest(name, kind, 1):
                    for values in objects:
                        self.add(name, kind, values)

    def accepts(self, application: str, key: str) -> bool:
        """Whether `key` opens `application`, in a time that does not tell how nearly."""
        with self._open() as database:
            rows = database.execute(
                "select digest from accounts where application = ?", (application,)
            ).fetchall()
        given = accounts.digest(key)
        matches = [hmac.compare_digest(given, row[0]) for row in rows]
        return any(matches)

    def add(self, application: str, kind: str, values: Mapping[str, Any]) -> tuple[str, str]:
        """Keep an object and return its id and its time; the account's oldest beyond MOST go."""
        identity, created = secrets.token_hex(5), stamp(self._clock())
        with self._open() as database:
            database.execute(
                "insert into objects (id, application, class, created, body) values (?,?,?,?,?)",
                (identity, application, kind, created, json.dumps(values)),
            )
            database.execute(
                "delete from objects where application = ?1 and number not in"
                " (select number from objects where application = ?1"
                " order by number desc limit ?2)",
                (application, MOST),
            )
        return identity, created

    def newest(
        self, application: str, kind: str, limit: int, order: str = "-createdAt"
    ) -> list[dict[str, Any]]:
        """At most `limit` objects of a class, in the order asked for (a key of ORDERS)."""
        with self._open() as database:
            rows = database.execute(
                ORDERS[order],
                (application, kind, limit),
            ).fetchall()
        return [
            {**json.loads(body), "objectId": identity, "createdAt": made, "updatedAt": made}
            for identity, made, body in rows
        ]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # One connection a use: SQLite's locks then do all the work between threads and processes.
        with closing(sqlite3.connect(self._file, timeout=10)) as database, database:
            yield database


def stamp(moment: datetime) -> str:
    """A time as Parse writes it: UTC, in milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make(folder: str, clock: Callable[[], datetime] = now) -> Flask:
    """The WSGI app, with its data in `folder`."""
    store = Store(Path(folder), accounts.load(), clock)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024

    def account() -> str:
        application = request.headers.get("X-Parse-Application-Id", "")
        if not store.accepts(application, request.headers.get("X-Parse-REST-API-Key", "")):
            raise RefusedError(401, "unauthorized")
        return application

    @app.get("/classes/<kind>")
    def newest(kind: str) -> Response:
        application = account()
        return jsonify(results=store.newest(application, named(kind), **query(request.args)))

    @app.post("/classes/<kind>")
    def add(kind: str) -> tuple[Response, int, dict[str, str]]:
        application = account()
        identity, created = store.add(application, named(kind), values(request.get_data()))
        where = {"Location": f"{request.base_url}/{identity}"}
        return jsonify(objectId=identity, createdAt=created), 201, where

    @app.errorhandler(RefusedError)
    def refused(error: RefusedError) -> tuple[Response, int]:
        return jsonify(error=error.error), error.status

    @app.errorhandler(HTTPException)
    def other(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.name.lower()), error.code or 500

    return app


def named(kind: str) -> str:
    """A class name, if it is one; raises RefusedError."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", kind):
        raise RefusedError(400, f"bad class name: {kind}")
    return kind


def query(words: Mapping[str, str]) -> dict[str, Any]:
    """The query of a GET → what to ask the store; raises RefusedError for what is unknown here."""
    unknown = sorted(set(words) - {"order", "limit"})
    if unknown:
        raise RefusedError(400, f"not supported here: {', '.join(unknown)}")
    order, limit = words.get("order", "createdAt"), words.get("limit", "100")
    if order not in ORDERS:
        raise RefusedError(400, f"bad order: {order}")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or int(limit) > 1000:
        raise RefusedError(400, f"bad limit: {limit}")
    return {"order": order, "limit": int(limit)}


def values(body: bytes) -> dict[str, Any]:
    """The body of a POST → an object's fields; raises RefusedError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "invalid JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "a JSON object is needed")
    if OWN & found.keys():
        raise RefusedError(400, f"set by the service: {', '.join(sorted(OWN & found.keys()))}")
    if not all(plain(value) for value in found.values()):
        raise RefusedError(400, "only text, numbers, true, false and null are kept here")
    return found


def plain(value: object) -> bool:
    """Whether a JSON value is neither an object nor an array, and can be written as JSON again."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))
