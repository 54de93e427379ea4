"""Files of daily ad tables: found by name or pattern, and opened in DuckDB without reading them into memory.

Cells of a CSV stay text until the table's columns are known; nothing is guessed from the first rows.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from mmx.data.cells import listed
from mmx.data.source import DATA_DIR, find
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    from mmx.ads_settings import AdsSettings

BLOCK = 1 << 22


def connect(settings: AdsSettings, temp: Path | None = None, database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """Open a database that keeps to the limits of ``ads.engine``.

    Parameters
    ----------
    settings : AdsSettings
    temp : Path, optional
        Folder for what does not fit in memory, where ``ads.engine.temp`` names none.
    database : str
        A file, for tables larger than memory.
    """
    engine = settings.engine
    con = duckdb.connect(database)
    con.execute(f"SET memory_limit = '{engine.memory}'")
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET enable_progress_bar = false")
    if engine.threads is not None:
        con.execute(f"SET threads = {engine.threads}")
    if (folder := engine.temp or temp) is not None:
        con.execute(f"SET temp_directory = {quoted(str(folder))}")
    return con


def locate_all(named: Sequence[str], key: str) -> list[Path]:
    """Find the files that a setting names: each as it is, or as a pattern; below ``MMX_DATA_DIR`` where not in place.

    Raises
    ------
    DataError
        Where a name or pattern finds nothing.
    """
    found: list[Path] = []
    for name in named:
        if "*" not in name:
            found.append(find(name, key, "table", f"Correct {key}"))
            continue
        folder = os.environ.get(DATA_DIR)
        places = [Path("/")] if Path(name).is_absolute() else [Path(), *([Path(folder).expanduser()] if folder else [])]
        pattern = name.lstrip("/")
        hits = next((h for place in places if (h := sorted(p for p in place.glob(pattern) if p.is_file()))), [])
        if not hits:
            came = f"the pattern {name} finds no file in {listed(places)}"
            raise DataError("there is no table of ads", [Problem(key, came, "at least one file", f"Correct {key}.")])
        found += hits
    return list(dict.fromkeys(found))


def input_files(settings: AdsSettings) -> list[Path]:
    """All files that a configuration names, orders included.

    Raises
    ------
    DataError
        Where one is missing.
    """
    found = locate_all(settings.files, "ads.files")
    for table, name in settings.tables.items():
        found += locate_all([name], f"ads.tables.{table}")
    if settings.orders is not None:
        found += locate_all(settings.orders.files, "ads.orders.files")
    return found


def sha256_of(paths: Sequence[Path]) -> dict[str, str]:
    """Digest of each file's bytes, by its path."""
    digests = {}
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        digests[str(path)] = digest.hexdigest()
    return digests


def open_table(con: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path], settings: AdsSettings) -> dict[str, str]:
    """Make a view of files with the same columns.

    Returns
    -------
    dict of str to str
        The table's columns with DuckDB's types.

    Raises
    ------
    DataError
        Where a file is no table, or files differ in kind.
    """
    kinds = {_kind(path) for path in paths}
    if len(kinds) > 1:
        problem = Problem(listed(paths), "CSV and Parquet together", "files of one kind", "Name files of one kind.")
        raise DataError("the tables of ads cannot be read together", [problem])
    files = "[" + ", ".join(quoted(str(p)) for p in paths) + "]"
    if kinds == {"parquet"}:
        scan = f"read_parquet({files}, union_by_name = true)"
    else:
        scan = (
            f"read_csv({files}, all_varchar = true, header = true, delim = {quoted(settings.delimiter)}, quote = '\"', "
            f"escape = '\"', skip = {settings.skip_lines}, union_by_name = true, strict_mode = true, auto_detect = true)"
        )
    try:
        con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {scan}")
        columns = {row[0]: row[1] for row in con.execute(f"DESCRIBE {name}").fetchall()}
    except duckdb.Error as error:
        raise unreadable(paths, error) from error
    return columns


def unreadable(paths: Sequence[Path | str], error: Exception) -> DataError:
    """Return DuckDB's refusal of a file in our words."""
    first = str(error).strip().splitlines()[0]
    remedy = "Check ads.delimiter, ads.skip_lines and the rows named above; save the table as CSV (UTF-8) or Parquet."
    return DataError("a table of ads cannot be read", [Problem(listed(paths), first, "a CSV or Parquet table", remedy)])


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def name_of(column: str) -> str:
    """Return a column as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        return "parquet" if file.read(4) == b"PAR1" else "csv"
