"""Tables of ads as they come: what is refused and how it reads, exports, Fivetran, recovery, duplicates, orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mmx.config import read_config
from mmx.data.ads.prepare import Prepared, prepare
from mmx.data.ads.sources import connect
from mmx.errors import ConfigError, DataError
from mmx.worlds.ads_standin import ads_like

from .tables import config_of, random_table, written

Con = Any


def opened(path: Path, **ads: Any) -> tuple[Con, Prepared]:
    """A prepared database."""
    settings = config_of(path, **ads).ads
    con = connect(settings)
    return con, prepare(con, settings)


def refusal(path: Path, **ads: Any) -> str:
    with pytest.raises(DataError) as caught:
        opened(path, **ads)
    return str(caught.value)


def total(con: Con, level: str, metric: str) -> float:
    return float(con.execute(f"SELECT sum({metric}) FROM days_{level}").fetchone()[0])


@pytest.fixture
def table() -> pd.DataFrame:
    return random_table(days=12)


def with_cell(table: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    """The table with another value in row 3."""
    changed = table.astype({column: object})
    changed.loc[3, column] = value
    return changed


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("spend", "12 EUR", "column 'spend': 1 cell cannot be read: '12 EUR'. Expected a finite number"),
        ("clicks", "inf", "column 'clicks': 1 cell cannot be read: 'inf'"),
        ("spend", -4.5, "column 'spend': 1 negative cell: -4.5 (campaign 0, 2024-12-21). Expected numbers >= 0"),
        ("campaign", None, "column 'campaign': 1 row without it"),
        ("revenue", None, "column 'revenue': 1 row without revenue"),
        ("revenue", "n/a", "write ads.missing.revenue: drop (the rows) or zero"),
    ],
)
def test_a_bad_cell_is_refused(table: pd.DataFrame, column: str, value: object, message: str, tmp_path: Path) -> None:
    assert message in refusal(written(with_cell(table, column, value), tmp_path / "ads.csv"))


def test_a_bad_date_is_refused_and_a_format_reads_it(table: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "ads.csv"
    table.assign(date=table["date"].dt.strftime("%d.%m.%Y")).to_csv(path, index=False)
    assert "Expected a date such as 2025-01-31. Write ads.date_format" in refusal(path)
    con, _ = opened(path, date_format="%d.%m.%Y")
    assert str(con.execute("SELECT min(day) FROM days_ad").fetchone()[0]) == "2024-12-20"


def test_columns_and_files_that_are_missing(table: pd.DataFrame, tmp_path: Path) -> None:
    path = written(table.rename(columns={"spend": "spent"}), tmp_path / "ads.csv")
    text = refusal(path)
    assert "ads.columns.spend: the table has no column 'spend'" in text and "Did you mean 'spent'?" in text
    assert "finds no file" in refusal(tmp_path / "none*.csv")
    assert "there is no such file" in refusal(tmp_path / "none.csv")
    (tmp_path / "semi.csv").write_text(path.read_text().replace(",", ";"))
    assert "the table has no column 'date'" in refusal(tmp_path / "semi.csv")
    con, _ = opened(tmp_path / "semi.csv", delimiter=";", columns=config_of(path).ads.columns | {"spend": "spent"})
    assert total(con, "ad", "spend") == pytest.approx(table["spend"].sum())
    with pytest.raises(ConfigError, match="there are no tables of ads"):
        prepare(connect(read_config({"ads": {}}).ads), read_config({"ads": {}}).ads)


@pytest.mark.parametrize(
    ("ads", "message"),
    [
        ({"columns": {}, "budget": "from_spend"}, "columns lacks date, campaign, spend"),
        ({"recover": ["clicks"]}, "recover needs the column ctr"),
        ({"tables": {"basic_ad": "x.csv"}}, "schema: flat takes files"),
        ({"schema": "fivetran_facebook"}, "takes tables: {NAME: FILE}"),
        ({"schema": "fivetran_facebook", "files": [], "tables": {"basic_ad": "x"}}, "tables lacks ad_history"),
        ({"schema": "fivetran_google", "files": [], "tables": {"stats": "x"}}, "tables has stats"),
        ({"delay_curve": [0.5, 0.4]}, "delay_curve falls"),
        ({"adset_key": ["campaign", "country"]}, "adset_key has country"),
    ],
)
def test_settings_that_contradict_themselves(ads: dict[str, Any], message: str) -> None:
    base = {"files": ["ads.csv"], "columns": {n: n for n in ("date", "campaign", "adset", "spend", "impressions")}}
    base["columns"] |= {n: n for n in ("clicks", "purchases", "revenue")}
    with pytest.raises(ConfigError, match=message.replace("{", r"\{")):
        read_config({"ads": base | ads})


def test_rows_that_stand_twice(table: pd.DataFrame, tmp_path: Path) -> None:
    path = written(pd.concat([table, table.iloc[[5]]]), tmp_path / "ads.csv")
    text = refusal(path)
    assert "1 ad and day on several rows: campaign 0 / set 0 / ad 1 / 2024-12-22" in text
    con, done = opened(path, duplicates="sum")
    assert done.doubled == 1
    assert total(con, "ad", "spend") == pytest.approx(table["spend"].sum() + table["spend"][5])
    split = pd.concat([table.assign(where="feed"), table.iloc[[5]].assign(where="story")])
    columns = config_of(path).ads.columns | {"placement": "where"}
    con, done = opened(written(split, tmp_path / "split.csv"), columns=columns)
    assert (done.doubled, con.execute("SELECT count(*) FROM days_ad").fetchone()[0]) == (0, len(table))
    con, _ = opened(tmp_path / "split.csv", columns=columns, adset_key=["campaign", "adset", "placement"])
    names = {n for (n,) in con.execute("SELECT name FROM names_adset").fetchall()}
    assert "campaign 0 / set 0 / story" in names and "campaign 0 / set 0 / feed" in names


def test_an_ad_set_lies_in_one_campaign(table: pd.DataFrame, tmp_path: Path) -> None:
    path = written(table, tmp_path / "ads.csv")
    assert "'set 0' lies in 2 campaigns" in refusal(path, adset_key=["adset"])


def test_names_are_unified_by_the_settings(tmp_path: Path) -> None:
    long = {"campaign 0": "Summer Sale Kids", "campaign 1": "Winter Sale Kids"}
    table = random_table(days=30).replace({"campaign": long})
    table.loc[4, "campaign"] = "SUMMER_SALE_KIDS"
    table.loc[7, "campaign"] = "Sumer Sale Kids"
    path = written(table, tmp_path / "ads.csv")
    con, done = opened(path)
    assert len(con.execute("SELECT * FROM names_campaign").fetchall()) == 4
    con, done = opened(path, names={"unify": ["campaign"]})
    assert done.unified["campaign"].names == ("Summer Sale Kids", "Winter Sale Kids")
    assert total(con, "campaign", "revenue") == pytest.approx(table["revenue"].sum())
    mapped = {"mapping": {"campaign": {"Sumer Sale Kids": "Winter Sale Kids"}}}
    _, done = opened(path, names={"unify": ["campaign"]} | mapped, duplicates="sum")
    assert done.unified["campaign"].mapping["Sumer Sale Kids"] == "Winter Sale Kids"
    assert "the table has no campaign 'nobody'" in refusal(path, names={"mapping": {"campaign": {"nobody": "x"}}})
    both = pd.concat([table, table.iloc[[7]].assign(campaign="Summer Sale Kids")])
    _, done = opened(written(both, tmp_path / "both.csv"), names={"unify": ["campaign"]})
    assert ("Sumer Sale Kids", "Summer Sale Kids", "both have rows on one day") in done.unified["campaign"].apart


def test_ambiguous_names_are_refused_or_kept(tmp_path: Path) -> None:
    long = {"campaign 0": "Summer Sale Kids X", "campaign 1": "Summer Sale Kits X"}
    table = random_table(days=30).replace({"campaign": long})
    day = table.loc[7, "date"]
    table.loc[7, "campaign"] = "Summer Sale Kis X"
    table = table[(table["campaign"] != "Summer Sale Kits X") | (table["date"] != day)]
    path = written(table, tmp_path / "ads.csv")
    text = refusal(path, names={"unify": ["campaign"]})
    assert "campaign 'Summer Sale Kis X': it is one letter from 'Summer Sale Kids X', 'Summer Sale Kits X'" in text
    _, done = opened(path, names={"unify": ["campaign"], "ambiguous": "keep"})
    assert len(done.unified["campaign"].names) == 3


def rated(table: pd.DataFrame) -> pd.DataFrame:
    ctr = table["clicks"] / table["impressions"].clip(lower=1)
    return table.assign(ctr=ctr.round(6), roas=(table["revenue"] / table["spend"].where(table["spend"] > 0)).round(2))


def test_values_are_recovered_marked_and_counted(tmp_path: Path) -> None:
    table = rated(random_table(days=40))
    full = table.copy()
    good = table[(table["revenue"] > 0) & (table["spend"] > 0)].index
    table = table.astype({"clicks": float})
    table.loc[good[:5], "clicks"] = np.nan
    table.loc[good[5:9], "spend"] = np.nan
    table.loc[good[9:12], "revenue"] = np.nan
    table.loc[good[12], ["spend", "revenue"]] = np.nan
    path = written(table, tmp_path / "ads.csv")
    columns = config_of(path).ads.columns | {"ctr": "ctr", "roas": "roas"}
    recover = {"columns": columns, "recover": ["clicks", "spend", "revenue"]}
    assert "column 'spend': 1 row without spend after recovery" in refusal(path, **recover)
    con, done = opened(path, **recover, missing={"spend": "drop", "revenue": "zero"})
    assert [(r.metric, r.missing, r.recovered) for r in done.recovered] == [
        ("clicks", 5, 5),
        ("spend", 5, 4),
        ("revenue", 4, 3),
    ]
    assert done.policies == {"spend: drop": 1, "revenue: zero": 1} and done.rows == len(table) - 1
    assert done.raw.missing["clicks"] == 5 and done.raw.totals["spend"] == pytest.approx(table["spend"].sum())
    kept = full.drop(good[12])
    for metric in ("clicks", "spend", "revenue"):
        assert total(con, "ad", metric) == pytest.approx(kept[metric].sum(), rel=2e-3)
    marked = con.execute(
        "SELECT sum(clicks_recovered::INT), sum(spend_recovered::INT), sum(revenue_recovered::INT) FROM days_ad"
    )
    assert marked.fetchone() == (5, 4, 3)


def test_a_formula_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    table = rated(random_table(days=40)).assign(ctr=lambda f: 100 * f["ctr"])
    table = table.astype({"clicks": float})
    table.loc[0, "clicks"] = np.nan
    path = written(table, tmp_path / "ads.csv")
    text = refusal(path, columns=config_of(path).ads.columns | {"ctr": "ctr"}, recover=["clicks"])
    assert "ads.recover: clicks: CTR x impressions misses clicks by" in text and "Is the column per cent" in text


@pytest.mark.parametrize("schema", ["meta_export", "google_export", "fivetran_facebook", "fivetran_google"])
def test_every_schema_reads_the_same_account(schema: str, tmp_path: Path) -> None:
    fivetran = {
        "fivetran_facebook": ("basic_ad", "basic_ad_actions", "basic_ad_action_values", "ad_history", "ad_set_history"),
        "fivetran_google": ("ad_stats", "campaign_history", "ad_group_history"),
    }
    tables = {name: f"{name}.csv" for name in fivetran.get(schema, ())}
    if schema == "fivetran_facebook":
        tables["campaign_history"] = "campaign_history.csv"
    named = {"tables": tables} if tables else {"files": ["export.csv"]}
    settings = read_config({"ads": {"schema": schema, **named}}).ads
    for name, made in ads_like(settings, seed=3).items():
        made.to_csv(tmp_path / name, index=False)
    named = {
        k: {n: str(tmp_path / f) for n, f in v.items()} if k == "tables" else [str(tmp_path / v[0])] for k, v in named.items()
    }
    settings = read_config({"ads": {"schema": schema, **named}}).ads
    con = connect(settings)
    done = prepare(con, settings)
    flat = read_config({"ads": {"files": ["f.csv"], "columns": config_of(tmp_path).ads.columns, "budget": "column"}}).ads
    (expected,) = ads_like(flat, seed=3).values()
    assert done.levels == ("account", "campaign", "adset", "ad")
    for metric in ("spend", "impressions", "clicks", "purchases", "revenue"):
        assert total(con, "ad", metric) == pytest.approx(expected[metric].sum(), rel=1e-9), metric
    names = {n for (n,) in con.execute("SELECT name FROM names_adset").fetchall()}
    assert names == set((expected["campaign"] + " / " + expected["adset"]).unique()) or schema.startswith("fivetran")
    assert len(names) == 6 and {n for (n,) in con.execute("SELECT name FROM names_campaign").fetchall()} == set(
        expected["campaign"]
    )


def test_an_export_reads_thousands_percent_and_blanks(tmp_path: Path) -> None:
    path = tmp_path / "meta.csv"
    path.write_text(
        "Day,Campaign name,Ad set name,Amount spent (EUR),Impressions,Link clicks,Purchases,Purchases conversion value\n"
        '2025-01-01,A,S,"1,234.50","12,000",,,\n2025-01-02,A,S,10,100,3,1,25.5\n'
    )
    settings = read_config({"ads": {"schema": "meta_export", "files": [str(path)]}}).ads
    con = connect(settings)
    done = prepare(con, settings)
    assert con.execute("SELECT sum(spend), sum(impressions), sum(clicks), sum(revenue) FROM days_adset").fetchone() == (
        1244.5,
        12100,
        3,
        25.5,
    )
    assert any("empty cells of clicks, purchases, revenue are zero" in note for note in done.notes)


def test_actions_that_do_not_join_are_counted(tmp_path: Path) -> None:
    tables = {n: f"{n}.csv" for n in ("basic_ad", "basic_ad_actions", "ad_history")}
    settings = read_config({"ads": {"schema": "fivetran_facebook", "tables": tables}}).ads
    made = ads_like(settings, seed=3)
    actions = made["basic_ad_actions.csv"]
    lost = actions.iloc[:2].assign(ad_id=99)
    made["basic_ad_actions.csv"] = pd.concat([actions, lost, actions.iloc[:3].assign(action_type="lead", ad_id=98)])
    for name, frame in made.items():
        frame.to_csv(tmp_path / name, index=False)
    named = {n: str(tmp_path / f) for n, f in tables.items()}
    settings = read_config({"ads": {"schema": "fivetran_facebook", "tables": named}}).ads
    con = connect(settings)
    done = prepare(con, settings)
    rows = len(actions)
    assert f"basic_ad_actions: 5 of {rows + 5} rows belong to no row of basic_ad; {rows + 2} are purchases by " in " ".join(
        done.notes
    )
    assert "of which 2 do not join and are left out" in " ".join(done.notes)
    assert total(con, "ad", "purchases") == actions["value"].sum()
    assert "ads.tables names no basic_ad_action_values: revenue are zero" in done.notes


def test_budgets_of_ad_set_history(tmp_path: Path) -> None:
    tables = {n: f"{n}.csv" for n in ("basic_ad", "ad_history", "ad_set_history")}
    settings = read_config({"ads": {"schema": "fivetran_facebook", "tables": tables}}).ads
    made = ads_like(settings, seed=3)
    history = made["ad_set_history.csv"]
    made["ad_set_history.csv"] = history.assign(daily_budget=np.where(history["name"] == "before", 5000, 7000))
    for name, frame in made.items():
        frame.to_csv(tmp_path / name, index=False)
    named = {"schema": "fivetran_facebook", "tables": {n: str(tmp_path / f) for n, f in tables.items()}}
    settings = read_config({"ads": named | {"budget": "column"}}).ads
    con = connect(settings)
    prepare(con, settings)
    found = con.execute("SELECT day::VARCHAR, min(budget), max(budget) FROM budget_adset GROUP BY day ORDER BY day").fetchall()
    assert found[30:32] == [("2025-01-31", 50.0, 50.0), ("2025-02-01", 70.0, 70.0)] and len(found) == 45
    made["ad_set_history.csv"].drop(columns="daily_budget").to_csv(tmp_path / "ad_set_history.csv", index=False)
    with pytest.raises(DataError, match="budget: column, and the table has no budget"):
        prepare(connect(settings), settings)


def test_orders_of_the_shop(tmp_path: Path) -> None:
    path = written(random_table(days=12), tmp_path / "ads.csv")
    (tmp_path / "orders.csv").write_text(
        "Name,Created at,Total,Refunded Amount,Landing site\n"
        "#1,2024-12-20 23:30:00 -0500,100.00,0.00,/?utm_source=fb&utm_campaign=Campaign_0&x=1\n"
        "#1,2024-12-20 23:30:00 -0500,,,\n"
        "#2,2024-12-21 10:00:00 -0500,50.00,20.00,/?utm_campaign=other\n"
        "#3,2024-12-21 11:00:00 -0500,8.00,0.00,/\n"
    )
    orders = {"files": [str(tmp_path / "orders.csv")], "refunded": "Refunded Amount", "landing": "Landing site"}
    con, done = opened(path, orders=orders)
    days = con.execute("SELECT day::VARCHAR, revenue FROM days_orders_account ORDER BY day").fetchall()
    assert days == [("2024-12-20", 100.0), ("2024-12-21", 38.0)]
    assert con.execute("SELECT n.name, revenue FROM days_orders_campaign JOIN names_campaign AS n USING (id)").fetchall() == [
        ("campaign 0", 100.0)
    ]
    assert "orders: 2 name a campaign, 1 one of the ads'" in done.notes
    assert "the orders have no 'Sum'" in refusal(path, orders=orders | {"revenue": "Sum"})
    bad = tmp_path / "bad.csv"
    bad.write_text("Name,Created at,Total\n#1,yesterday,5\n")
    assert "orders #1 have no day or revenue" in refusal(path, orders={"files": [str(bad)]})
