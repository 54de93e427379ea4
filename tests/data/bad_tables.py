"""The parts that bad inputs are made of: a refused table as a value, and ways to spoil the clean one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from shop_tables import GEO_SETTINGS, SETTINGS, WEEKS, configured, geographic, national, write

import mmx
from mmx.errors import DataError

Content = pd.DataFrame | str | bytes


@dataclass(frozen=True)
class Bad:
    """A table that must be refused.

    ``says`` are texts that the message must hold: the place, what came, and the remedy.
    """

    name: str
    make: Callable[[], Content]
    says: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    geo: bool = False
    file: str = "shop.csv"

    def message(self, folder: Path) -> str:
        """Load the table and give the error's text; empty where it was accepted."""
        path = write(folder, self.make(), self.file)
        try:
            mmx.load(configured(path, self.settings, base=GEO_SETTINGS if self.geo else SETTINGS))
        except DataError as error:
            return str(error)
        return ""


def table(geo: bool = False, **cells: Any) -> Callable[[], pd.DataFrame]:
    """The clean table with columns replaced: ``column={row: value}`` sets cells, ``column=array`` all of them."""

    def make() -> pd.DataFrame:
        frame = (geographic() if geo else national()).astype(object)
        for column, change in cells.items():
            if isinstance(change, dict):
                for row, value in change.items():
                    frame.loc[row, column] = value
            else:
                frame[column] = change(frame) if callable(change) else change
        return frame

    return make


def data(**settings: Any) -> dict[str, Any]:
    """Settings under ``data``."""
    return {"data": settings}


def text_dates(*formats: str) -> Callable[[], pd.DataFrame]:
    """The clean table with dates written in formats by turns."""

    def make() -> pd.DataFrame:
        frame = national()
        days = pd.to_datetime(frame["week"])
        frame["week"] = [day.strftime(formats[i % len(formats)]) for i, day in enumerate(days)]
        return frame

    return make


def months(first: str, pattern: str) -> Callable[[], pd.DataFrame]:
    def make() -> pd.DataFrame:
        frame = national()
        frame["week"] = pd.date_range(first, periods=WEEKS, freq="MS").strftime(pattern)
        return frame

    return make


def joined(mark: str) -> Callable[[], str]:
    return lambda: national().to_csv(index=False, sep=mark)


def cut_line() -> str:
    lines = national().to_csv(index=False).splitlines()
    lines[9] = lines[9].rsplit(",", 2)[0]
    return "\n".join(lines)


def repeated(row: int) -> Callable[[], pd.DataFrame]:
    return lambda: pd.concat([national(), national().iloc[[row]]], ignore_index=True)


def without(*rows: int, geo: bool = False) -> Callable[[], pd.DataFrame]:
    return lambda: (geographic() if geo else national()).drop(index=list(rows))
