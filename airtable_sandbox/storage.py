"""The data file: one SQLite database in WAL mode, its schema, and transactions.

A process killed with -9 leaves the last committed transaction. One connection serves the whole process, from one thread
at a time; nothing else may write the file while it is open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LAYOUT_VERSION = 1

_LAYOUT = """
CREATE TABLE bases (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE tables (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, base_id TEXT NOT NULL REFERENCES bases (id),
  name TEXT NOT NULL, view_id TEXT NOT NULL, description TEXT);
CREATE TABLE fields (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, table_id TEXT NOT NULL REFERENCES tables (id),
  name TEXT NOT NULL, type TEXT NOT NULL, description TEXT, options TEXT);
-- cells: a JSON object, field ID -> stored value, without empty values, links and formulas.
CREATE TABLE records (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, table_id TEXT NOT NULL REFERENCES tables (id),
  created_s INTEGER NOT NULL, cells TEXT NOT NULL);
CREATE INDEX records_by_table ON records (table_id, position);
-- One row a link. A link field and its inverse on the other table share the rows: field_id is the one created first.
CREATE TABLE links (
  position INTEGER PRIMARY KEY AUTOINCREMENT, field_id TEXT NOT NULL REFERENCES fields (id),
  from_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
  to_id TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE,
  UNIQUE (field_id, from_id, to_id));
CREATE INDEX links_back ON links (to_id, field_id);
CREATE INDEX links_from ON links (from_id);
CREATE TABLE months (month TEXT PRIMARY KEY, calls INTEGER NOT NULL);
"""


class Storage:
    """The open data file. `path` may be ":memory:". Raises sqlite3.DatabaseError for a file that
    is no database of ours, sqlite3.OperationalError (after 1 s) for one that another sandbox has open."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self.rollbacks = 0
        self._connection.execute("PRAGMA busy_timeout = 1000")
        # One owner: a second process would trust its own copy of the schema. A killed owner's lock goes with it.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._create_layout()

    def _create_layout(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == LAYOUT_VERSION:
            return
        if version != 0:
            raise sqlite3.DatabaseError(f"data file has layout {version}, this sandbox knows {LAYOUT_VERSION}")
        self._connection.executescript(f"BEGIN; {_LAYOUT} PRAGMA user_version = {LAYOUT_VERSION}; COMMIT;")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it: an exception rolls back, moves `rollbacks` on, and passes. Not to be nested."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            self.rollbacks += 1
            raise
        self._connection.execute("COMMIT")

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def write(self, sql: str, parameters: tuple[Any, ...] = ()) -> int:
        """Runs one statement and returns how many rows it touched."""
        return self._connection.execute(sql, parameters).rowcount

    def close(self) -> None:
        self._connection.close()
