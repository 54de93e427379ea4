from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shop_tables import configured, national, write

from mmx.data.source import locate, read_table
from mmx.errors import DataError


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An MMX_DATA_DIR, with the working folder elsewhere."""
    folder, work = tmp_path / "data", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("MMX_DATA_DIR", str(folder))
    return folder


def place(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("week,sales\n")
    return path


def test_the_first_place_that_has_the_file_wins(data_dir: Path) -> None:
    config = configured(Path("brand/shop.csv"))
    places = [data_dir / "robyn/shop.csv", data_dir / "shop.csv", data_dir / "brand/shop.csv", Path("brand/shop.csv")]
    for path in places:
        place(path)
        (data_dir / "robyn/shop.csv").unlink(missing_ok=path != places[0]) if path == places[2] else None
        assert locate(config) == path
    named = place(data_dir.parent / "other.csv")
    assert locate(config, named) == named
    assert locate(configured(named)) == named


def test_two_files_of_one_name_are_refused(data_dir: Path) -> None:
    place(data_dir / "a/shop.csv")
    place(data_dir / "b/shop.csv")
    with pytest.raises(DataError, match=r"2 files of that name: .*a/shop\.csv, .*b/shop\.csv"):
        locate(configured(Path("shop.csv")))


def test_a_missing_file_names_every_place(data_dir: Path) -> None:
    with pytest.raises(DataError) as caught:
        locate(configured(Path("brand/shop.csv")))
    for part in ("brand/shop.csv", str(data_dir / "brand/shop.csv"), str(data_dir / "*/shop.csv"), "give --data FILE"):
        assert part in str(caught.value)


def test_without_a_data_folder_the_message_names_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MMX_DATA_DIR", raising=False)
    with pytest.raises(DataError, match="set MMX_DATA_DIR"):
        locate(configured(tmp_path / "shop.csv"))
    with pytest.raises(DataError, match="it is a folder"):
        locate(configured(tmp_path))


def test_a_data_folder_does_not_move_an_absolute_path(data_dir: Path, tmp_path: Path) -> None:
    place(data_dir / "shop.csv")
    with pytest.raises(DataError, match="was not found"):
        locate(configured(tmp_path / "nowhere/shop.csv"))


def test_cells_of_a_csv_stay_as_written(tmp_path: Path) -> None:
    path = write(tmp_path, 'a,b\r\n"1,5", x\r\n\r\n007,"two\nlines"\r\nNA,\r\n')
    table = read_table(path)
    assert [list(c) for c in table.columns.values()] == [["1,5", "007", "NA"], [" x", "two\nlines", ""]]
    np.testing.assert_array_equal(table.lines, [2, 4, 6])


def test_parquet_keeps_types_and_a_stored_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [1, 2], "f": [0.5, np.nan], "t": ["a", None], "d": pd.to_datetime(["2021-01-04", "2021-01-11"])})
    frame.index = pd.Index([7, 9], name="code")
    frame.to_parquet(tmp_path / "shop.parquet")
    table = read_table(tmp_path / "shop.parquet")
    assert set(table.columns) == {"n", "f", "t", "d", "code"}
    assert list(table.columns["code"]) == [7, 9]
    assert table.columns["d"].dtype.kind == "M"
    np.testing.assert_array_equal(table.lines, [1, 2])


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    national().to_parquet(path)
    assert "sales" in read_table(path).columns
