from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shop_tables import GEO_SETTINGS, configured, geographic, write

from mmx.data.outcomes import load_outcomes
from mmx.errors import DataError


def refused(folder: Path, frame: pd.DataFrame) -> str:
    path = write(folder, frame)
    with pytest.raises(DataError) as caught:
        load_outcomes(configured(path, base=GEO_SETTINGS), path)
    return str(caught.value)


def test_the_kpi_of_every_geo_is_laid_out_in_any_order_of_rows(tmp_path: Path) -> None:
    frame = geographic()
    path = write(tmp_path, frame.sample(frac=1, random_state=1))
    made = load_outcomes(configured(path, base=GEO_SETTINGS), path)
    assert set(made.geos) == {"Aa", "Bb", "Cc"} and made.frequency == "weekly" and made.kpi.shape == (3, 120)
    for geo, series in zip(made.geos, made.kpi, strict=True):
        np.testing.assert_array_equal(series, frame.loc[frame["city"] == geo, "sales"])
    assert str(made.dates[0]) == "2021-01-04" and made.dates.size == 121 and len(made.sha256) == 64


@pytest.mark.parametrize(
    ("column", "rows", "value", "says"),
    [
        ("sales", {4: None, 130: "inf"}, None, ("column 'sales', rows 6 (Aa, 2021-02-01), 132", "2 cells of the KPI without")),
        ("sales", {4: "12 EUR"}, None, ("column 'sales', row 6 ('12 EUR')", "a currency sign")),
        ("week", {4: "soon"}, None, ("column 'week', row 6 ('soon')",)),
        ("city", {4: ""}, None, ("column 'city', row 6", "1 row without a geo")),
    ],
)
def test_a_bad_cell_is_refused(
    tmp_path: Path, column: str, rows: dict[int, object], value: None, says: tuple[str, ...]
) -> None:
    frame = geographic().astype(object)
    for row, cell in rows.items():
        frame.loc[row, column] = cell
    message = refused(tmp_path, frame)
    for text in says:
        assert text in message, message


def test_gaps_ragged_geos_and_repetitions_are_refused(tmp_path: Path) -> None:
    assert "the panel is ragged: 'Aa' lacks 1 of 120 dates" in refused(tmp_path, geographic().drop(index=[3]))
    assert "duplicate keys" in refused(tmp_path, pd.concat([geographic(), geographic().iloc[[3]]]))
    assert "no column 'sales'" in refused(tmp_path, geographic().rename(columns={"sales": "sold"}))
    assert "a gap: 1 date missing" in refused(tmp_path, geographic().query("week != '2021-03-01'"))
