"""An account's history from tables of ads: what rules, response models and backtests take."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from mmx.data.ads.history import METRICS, AccountHistory
from mmx.data.ads.prepare import prepare
from mmx.data.ads.sources import connect
from mmx.data.cells import listed
from mmx.errors import DataError, Problem

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

    from mmx.ads_settings import AdsSettings


def read_history(settings: AdsSettings, until: dt.date | None = None, *, account: str | None = None) -> AccountHistory:
    """Read one account from the tables of a configuration, by the same steps as its features.

    Parameters
    ----------
    settings : AdsSettings
    until : date, optional
        Date of the next decision: days before it are read. By default the day after the table's end.
    account : str, optional
        Which one, where the table has several.

    Returns
    -------
    AccountHistory
        All ad sets with a row before ``until``, sorted by name. ``first_day`` is that of the first row in the table, and
        budgets are those of ``ads.budget``.

    Raises
    ------
    ConfigError, DataError
        Also where the table ends before the day before ``until``, or has several accounts and none is named.
    """
    con = connect(settings)
    prepare(con, settings)
    return history_of(con, settings, until, account=account)


def history_of(
    con: duckdb.DuckDBPyConnection, settings: AdsSettings, until: dt.date | None = None, *, account: str | None = None
) -> AccountHistory:
    """Lay one account of a prepared database out as arrays; see ``read_history``."""
    number, name = _account(con, account)
    adsets = "(SELECT * FROM names_adset WHERE account_id = $account) AS n"
    row = con.execute(
        f"SELECT min(day), max(day) FROM days_adset AS d JOIN {adsets} ON n.id = d.id", {"account": number}
    ).fetchone()
    assert row is not None
    first, end = row
    last = end if until is None else until - dt.timedelta(days=1)
    if last > end or last < first:
        came = f"the table has days from {first} to {end}"
        remedy = "Export the table again, or choose another date."
        raise DataError(f"a decision for {until} cannot be made", [Problem("ads.files", came, f"rows up to {last}", remedy)])
    table = con.execute(
        f"SELECT n.id AS id, n.name AS name, c.name AS campaign, n.first_day AS first_day FROM {adsets} "
        "JOIN names_campaign AS c ON c.id = n.parent WHERE n.first_day <= $last ORDER BY n.name",
        {"account": number, "last": last},
    ).fetchnumpy()
    dates = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + np.timedelta64(1, "D"))
    place = {int(i): k for k, i in enumerate(table["id"])}
    metrics = _filled(con, "days_adset", METRICS, place, dates)
    campaigns = tuple(sorted({str(c) for c in table["campaign"]}))
    return AccountHistory(
        account=name,
        platform=settings.platform or "",
        currency=settings.currency or "",
        dates=dates,
        adsets=tuple(str(n) for n in table["name"]),
        campaigns=campaigns,
        campaign_of=np.array([campaigns.index(str(c)) for c in table["campaign"]], dtype=np.intp),
        metrics=metrics,
        budget=_filled(con, "budget_adset", ("budget",), place, dates)[:, :, 0],
        first_day=_since(table["first_day"], dates),
        campaign_budget=np.full(len(place), settings.budget == "campaign"),
        immature_days=settings.immature_days,
    )


def paired_days(
    con: duckdb.DuckDBPyConnection, settings: AdsSettings, account: str
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Ad set, spend and revenue of one account's mature ad-set-days that have both, (row,) each; see ``signal.py``."""
    found = con.execute(
        "SELECT d.id AS id, d.spend AS spend, d.revenue AS revenue FROM days_adset AS d JOIN names_adset AS n ON n.id = d.id "
        "JOIN names_account AS a ON a.id = n.account_id JOIN end_days AS e ON e.account_id = a.id "
        "WHERE a.name = $account AND d.spend > 0 AND d.revenue > 0 AND d.day <= e.end_day - $immature::INTEGER ORDER BY ALL",
        {"account": account, "immature": settings.immature_days},
    ).fetchnumpy()
    return np.asarray(found["id"], dtype=np.intp), np.asarray(found["spend"]), np.asarray(found["revenue"])


def _account(con: duckdb.DuckDBPyConnection, account: str | None) -> tuple[int, str]:
    accounts: dict[str, int] = {n: i for i, n in con.execute("SELECT id, name FROM names_account ORDER BY id").fetchall()}
    if account is None and len(accounts) > 1:
        problem = Problem("column account", f"it has {listed(list(accounts))}", "one account", "Name one, or split the table.")
        raise DataError("rules decide for one account at a time", [problem])
    if account is not None and account not in accounts:
        problem = Problem("column account", f"it has {listed(list(accounts))}", repr(account), "Name one of these.")
        raise DataError("the account is not in the table", [problem])
    name = account if account is not None else next(iter(accounts))
    return accounts[name], name


def _filled(
    con: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...], place: dict[int, int], dates: NDArray[np.datetime64]
) -> NDArray[np.float64]:
    """Values by day and ad set, (day, ad set, column); zero where there is no row."""
    found = con.execute(f"SELECT id, day, {', '.join(columns)} FROM {table} WHERE day <= DATE '{dates[-1]}'").fetchnumpy()
    out = np.zeros((len(dates), len(place), len(columns)))
    mine = np.isin(found["id"], list(place))
    day = _since(found["day"], dates)[mine]
    which = np.array([place[int(i)] for i in found["id"][mine]], dtype=np.intp)
    for k, column in enumerate(columns):
        out[day, which, k] = found[column][mine]
    return out


def _since(days: object, dates: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Rows of ``dates`` on which days lie."""
    rows: NDArray[np.intp] = (np.asarray(days, dtype="datetime64[D]") - dates[0]).astype(np.intp)
    return rows
