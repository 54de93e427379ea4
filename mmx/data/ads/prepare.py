"""From tables of ads to numbered days of every level: opened, typed, names unified, values recovered, rows added up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmx.data.ads.budgets import write_budgets
from mmx.data.ads.entities import number_entities
from mmx.data.ads.fivetran import facebook, google
from mmx.data.ads.layouts import Layout, files
from mmx.data.ads.names import Unified
from mmx.data.ads.orders import read_orders
from mmx.data.ads.repair import Recovery, recover
from mmx.data.ads.spellings import unify_names
from mmx.data.ads.typed import RawTotals, read_typed
from mmx.errors import ConfigError, Problem

if TYPE_CHECKING:
    import duckdb

    from mmx.ads_settings import AdsSettings


@dataclass(frozen=True)
class Prepared:
    """What became of tables of ads; the days themselves are in the database.

    Attributes
    ----------
    levels : tuple of str
        Those that the table has, from the account down.
    raw : RawTotals
    rows : int
        Rows that were used.
    unified : mapping of str to Unified
    recovered : tuple of Recovery
    policies : mapping of str to int
        Cells or rows that a policy of ``ads.missing`` took, by ``METRIC: policy``.
    doubled : int
        Rows that were added to another of the same ad and day.
    end : date
        Last day of the table.
    notes : tuple of str
    """

    levels: tuple[str, ...]
    raw: RawTotals
    rows: int
    unified: Mapping[str, Unified]
    recovered: tuple[Recovery, ...]
    policies: Mapping[str, int]
    doubled: int
    end: dt.date
    notes: tuple[str, ...]


def prepare(con: duckdb.DuckDBPyConnection, settings: AdsSettings, tell: Callable[[str], None] = lambda _: None) -> Prepared:
    """Read the tables of a configuration into a database.

    Parameters
    ----------
    con : connection
    settings : AdsSettings
    tell : callable, optional
        Is told what is being done.

    Raises
    ------
    ConfigError, DataError
    """
    tell("open the tables")
    layout = lay_out(con, settings)
    tell("read the rows")
    raw = read_typed(con, layout, settings)
    tell("unify names")
    unified = unify_names(con, layout, settings)
    tell("recover values")
    recovered, policies = recover(con, layout, settings)
    row = con.execute("SELECT count(*), max(day) FROM filled").fetchone()
    assert row is not None
    tell("add up the levels")
    levels, doubled = number_entities(con, layout, settings)
    tell("lay out budgets")
    notes = [*layout.notes, *write_budgets(con, layout, settings)]
    if settings.orders is not None:
        notes += read_orders(con, settings, settings.orders)
    return Prepared(levels, raw, row[0], unified, tuple(recovered), policies, doubled, row[1], tuple(notes))


def lay_out(con: duckdb.DuckDBPyConnection, settings: AdsSettings) -> Layout:
    """Open the tables of a configuration by its schema.

    Raises
    ------
    ConfigError
        Where no table is named.
    DataError
        Where a file or a column is missing.
    """
    if not settings.given:
        remedy = "Set ads.files and ads.columns (configs/kasparro.yaml is an example), or ads.tables."
        problem = Problem("ads.files", "it is empty", "daily tables of ads: CSV or Parquet", remedy)
        raise ConfigError("there are no tables of ads", [problem])
    readers = {"fivetran_facebook": facebook, "fivetran_google": google}
    return readers.get(settings.table_schema, files)(con, settings)
