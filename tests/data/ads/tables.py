"""Small random tables of ads for the tests: gaps, several campaigns, ads that start late and end early, budgets that move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmx.config import read_config
from mmx.schema import Config

COLUMNS = {
    name: name
    for name in ("date", "campaign", "adset", "ad", "spend", "impressions", "clicks", "purchases", "revenue", "reach")
}
START = pd.Timestamp("2024-12-20")


def random_table(days: int = 80, seed: int = 1, ads: int = 2) -> pd.DataFrame:
    """Rows of 2 campaigns with 3 and 2 ad sets; cents and whole counts, a fifth of the days missing, budgets in steps."""
    rng = np.random.default_rng(seed)
    rows = []
    for c, sets in enumerate((3, 2)):
        for s in range(sets):
            budget = 50.0 + 10 * s
            first, last = (0, days) if s == 0 else (int(rng.integers(0, 25)), int(rng.integers(days - 40, days + 1)))
            for day in range(first, last):
                budget *= float(rng.choice([1.0, 1.0, 1.0, 1.005, 1.2, 0.8]))
                served = (s == 0 and c == 0) or rng.random() > 0.2
                for a in range(ads) if served else ():
                    impressions = int(rng.integers(0, 900))
                    clicks = int(rng.binomial(impressions, 0.03))
                    purchases = int(rng.binomial(clicks, 0.1))
                    rows.append(
                        {
                            "date": START + pd.Timedelta(days=day),
                            "campaign": f"campaign {c}",
                            "adset": f"set {s}",
                            "ad": f"ad {a}",
                            "spend": 0.0 if rng.random() < 0.05 else round(float(rng.gamma(4, 6)), 2),
                            "impressions": impressions,
                            "clicks": clicks,
                            "purchases": purchases,
                            "revenue": round(float(rng.gamma(3, 15)) * purchases, 2),
                            "reach": int(impressions * 0.7),
                            "budget": round(budget, 2),
                        }
                    )
    return pd.DataFrame(rows)


def config_of(path: Path, **ads: Any) -> Config:
    """Settings that read a table of ``random_table``."""
    columns = {"columns": COLUMNS | {"budget": "budget"}, "budget": "column"}
    engine = {"engine": {"memory": "500MB", "threads": 1}}
    return read_config({"name": "shop", "ads": {"files": [str(path)], **columns, **engine, **ads}})


def written(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as CSV or Parquet, by its name."""
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    else:
        table.assign(date=table["date"].dt.strftime("%Y-%m-%d")).to_csv(path, index=False)
    return path


def read_features(folder: Path, level: str) -> pd.DataFrame:
    """All months of a level, in order."""
    frames = [pd.read_parquet(p) for p in sorted((folder / f"level={level}").glob("*.parquet"))]
    return pd.concat(frames, ignore_index=True).assign(date=lambda f: pd.to_datetime(f["date"]))
