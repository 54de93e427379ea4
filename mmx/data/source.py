"""Find a table and read its cells as they are: CSV as text with the line of every row, Parquet with its types.

Nothing is guessed here: a file that is not a comma-separated UTF-8 table or Parquet is refused with the reason.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmx.config import Config
from mmx.data.cells import Cells, Ints, listed, plural, rows_of
from mmx.errors import DataError, Problem

DATA_DIR = "MMX_DATA_DIR"
_MAGIC = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive", "Open it, save the sheet as CSV (UTF-8), or unzip it."),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the sheet as CSV (UTF-8)."),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first."),
    (b"%PDF", "a PDF document", "Export the table as CSV."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV or Parquet."),
)
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True)
class Table:
    """A table as it stands in the file.

    Attributes
    ----------
    path : Path
    sha256 : str
        Digest of the file's bytes.
    columns : mapping of str to array, (row,)
        Text cells of a CSV, typed cells of a Parquet file; of columns with one name, the first.
    lines : array of int, (row,)
        Line of the file where each row begins (the header is line 1); row numbers from 1 for Parquet.
    cell_lines : mapping of str to array of int, (row,)
        Line of each cell where a row comes from several lines, as in a long table; 0 where there is none.
    problems : tuple of Problem
        What is wrong but does not prevent looking further.
    complete : bool
        False where rows had to be left out, so that gaps prove nothing.
    counting : str
        What row numbers in messages mean.
    """

    path: Path
    sha256: str
    columns: Mapping[str, Cells]
    lines: Ints
    cell_lines: Mapping[str, Ints] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    complete: bool = True
    counting: str = "rows are lines of the file"

    def lines_of(self, column: str) -> Ints:
        """Line of the file of each cell of a column, (row,)."""
        return self.cell_lines.get(column, self.lines)


def locate(config: Config, data: str | Path | None = None) -> Path:
    """Find the table.

    Parameters
    ----------
    config : Config
    data : path, optional
        Taken instead of ``data.path``.

    Returns
    -------
    Path
        The first that exists of: the path as given; ``MMX_DATA_DIR``/path; ``MMX_DATA_DIR``/file name; the only
        ``MMX_DATA_DIR``/*/file name.

    Raises
    ------
    DataError
        Where there is none, or several of the last kind.
    """
    named = data if data is not None else config.data.path
    if named is None:
        raise _unusable(
            "no table was named", "data.path", "it is null", "a CSV or Parquet file", "Set data.path or give --data FILE."
        )
    return find(named, "data.path", "table", "Correct data.path, give --data FILE")


def find(named: str | Path, key: str, what: str, remedy: str) -> Path:
    """Find a file that a setting names, as ``locate`` does.

    Parameters
    ----------
    named : path
    key : str
        The setting, such as ``data.path``.
    what : str
        The file in a word, for messages.
    remedy : str
        What to do where there is none, without the final stop.

    Raises
    ------
    DataError
    """
    path = Path(named).expanduser()
    if path.is_file():
        return path
    tried = [str(path)]
    folder = os.environ.get(DATA_DIR)
    if folder and not path.is_absolute():
        root = Path(folder).expanduser()
        for candidate in (root / path, root / path.name):
            if candidate.is_file():
                return candidate
        found = sorted(p for p in root.glob(f"*/{path.name}") if p.is_file())
        if len(found) == 1:
            return found[0]
        if found:
            came = f"{DATA_DIR} holds {plural(len(found), 'file')} of that name: {listed(found)}"
            raise _unusable(f"the {what} {named} is not unique", key, came, "one file", f"Write the folder into {key}.")
        tried += [str(root / path), str(root / "*" / path.name)]
    came = "it is a folder" if path.is_dir() else f"there is no such file (looked for {', '.join(tried)})"
    hint = "" if folder else f", or set {DATA_DIR} to the folder that holds it"
    raise _unusable(f"the {what} {named} was not found", key, came, "a CSV or Parquet file", f"{remedy}{hint}.")


def read_table(path: Path, row: str = "one row per date") -> Table:
    """Read a CSV (comma, UTF-8, with or without BOM) or Parquet file.

    Parameters
    ----------
    path : Path
    row : str
        What the table should hold, for the message where it has no rows.

    Raises
    ------
    DataError
        Where the file is empty, no table, wrongly delimited, not UTF-8, or has a header and nothing else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _refuse(
            path, "the file", f"it cannot be read ({error.strerror})", "a readable file", "Check its permissions."
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if not content.strip():
        raise _refuse(path, "the file", "it is empty", "a header line and rows", "Export the table again.")
    if content[:4] == b"PAR1":
        return _parquet(path, content, digest)
    for magic, what, remedy in _MAGIC:
        if content.startswith(magic):
            raise _refuse(path, "the file", f"it is {what}, not a table", "CSV or Parquet", remedy)
    if path.suffix.lower() in {".parquet", ".pq"}:
        raise _refuse(
            path,
            "the file",
            "it is named Parquet and is not a Parquet file",
            "Parquet",
            "Write it again, or name it .csv if it is CSV.",
        )
    return _csv(path, _decode(path, content), digest, row)


def _decode(path: Path, content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _refuse(path, "the file", "its encoding is UTF-16", "UTF-8", "Save it as CSV UTF-8.")
    if b"\x00" in content:
        raise _refuse(path, "the file", "it is binary, not a table", "CSV or Parquet", "Export the table as CSV.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        came = f"byte 0x{content[error.start]:02x} is not UTF-8 (the encoding is perhaps Windows-1252 or Latin-1)"
        raise _refuse(path, f"row {line}", came, "UTF-8", "Save it as CSV UTF-8.") from error
    start = text.lstrip()[:1]
    if start == "<":
        raise _refuse(
            path,
            "the file",
            "it is HTML or XML, not a table",
            "CSV or Parquet",
            "Was a log-in page downloaded? Export the table again.",
        )
    if start in {"{", "["}:
        raise _refuse(path, "the file", "it is JSON, not a table", "CSV or Parquet", "Convert it to one row per date.")
    return text


def _csv(path: Path, text: str, digest: str, row: str) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    begin = 1
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise _refuse(
            path, f"row {begin}", f"it is not valid CSV ({error})", "balanced quotes", "Correct the quotes around that row."
        ) from error
    header = records[0]
    _delimiter(path, header, text)
    if len(header) == 1:
        came = f"the header has one column, {header[0][:40]!r}"
        raise _refuse(
            path,
            f"row {lines[0]}",
            came,
            "a comma-separated table with a date and a KPI",
            "Is this the right file? Export the table again.",
        )
    width = len(header)
    ragged = [line for record, line in zip(records[1:], lines[1:], strict=True) if len(record) != width]
    blank = [line for record, line in zip(records[1:], lines[1:], strict=True) if not any(c.strip() for c in record)]
    skip = {*ragged, *blank}
    kept = [(record, line) for record, line in zip(records[1:], lines[1:], strict=True) if line not in skip]
    names, problems = _names(header)
    if ragged:
        odd = next(r for r, line in zip(records, lines, strict=True) if line == ragged[0])
        came = f"{plural(len(ragged), 'row')} of another width; row {ragged[0]} has {plural(len(odd), 'field')}"
        remedy = "Check for commas inside unquoted text and for rows that were cut off."
        problems.append(Problem(rows_of(ragged), came, f"{width} fields as in the header", remedy))
    if blank := [line for line in blank if line not in ragged]:
        problems.append(
            Problem(rows_of(blank), f"{plural(len(blank), 'row')} without any value", "values", "Delete these rows.")
        )
    if not kept and not problems:
        raise _refuse(path, "the file", "it has a header and no rows", row, "Export the table again.")
    columns: dict[str, Cells] = {}
    for i, name in enumerate(names):
        columns.setdefault(name, np.array([record[i] for record, _ in kept], dtype=object))
    return Table(path, digest, columns, np.array([line for _, line in kept], dtype=np.int64), {}, tuple(problems), not ragged)


def _delimiter(path: Path, header: list[str], text: str) -> None:
    first = text.lstrip("\r\n").splitlines()[0]
    for mark, word in _DELIMITERS.items():
        if first.count(mark) > first.count(","):
            came = f"wrong delimiter: the header is separated by {word}, so it reads as {plural(len(header), 'column')}"
            also = " and decimal points for decimal commas" if mark == ";" else ""
            raise _refuse(
                path, "row 1", came, "commas", f"Save the table as comma-separated CSV, with commas for {word}{also}."
            )


def _parquet(path: Path, content: bytes, digest: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise _refuse(path, "the file", f"it is a damaged Parquet file ({error})", "Parquet", "Write it again.") from error
    if table.num_rows == 0:
        raise _refuse(path, "the file", "it has columns and no rows", "one row per date", "Export the table again.")
    names, problems = _names(table.column_names)
    columns: dict[str, Cells] = {}
    for name, column in zip(names, table.columns, strict=True):
        columns.setdefault(name, _typed(column.to_pandas()))
    return Table(path, digest, columns, np.arange(1, table.num_rows + 1), {}, tuple(problems), True, "rows are counted from 1")


def _typed(series: object) -> Cells:
    import pandas as pd

    column = pd.Series(series)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return np.asarray(column.dt.tz_localize(None).to_numpy())
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        return column.to_numpy()
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return column.to_numpy()
    return column.astype(object).to_numpy()


def _names(header: list[str]) -> tuple[list[str], list[Problem]]:
    """Name unnamed columns by their place and report names that stand twice."""
    names = [name if name.strip() else f"Unnamed: {i}" for i, name in enumerate(header)]
    problems = []
    for name, count in Counter(names).items():
        if count > 1:
            places = [str(i + 1) for i, n in enumerate(names) if n == name]
            came = f"the name stands {count} times, in columns {', '.join(places)} of the table"
            problems.append(Problem(f"column {name!r}", came, "each name once", "Rename or delete all but one."))
    return names, problems


def _unusable(what: str, where: str, came: str, expected: str, remedy: str) -> DataError:
    return DataError(what, [Problem(where, came, expected, remedy)])


def _refuse(path: Path, where: str, came: str, expected: str, remedy: str) -> DataError:
    return _unusable(f"the table {path} cannot be used", where, came, expected, remedy)
