"""Features by brute force: for one entity and date, sums over slices of a dense array, one line per definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

NAN = float("nan")
METRICS = ("spend", "impressions", "clicks", "purchases", "revenue", "reach")
KEYS = {"account": [], "campaign": ["campaign"], "adset": ["campaign", "adset"], "ad": ["campaign", "adset", "ad"]}
PARENT = {"campaign": "account", "adset": "campaign", "ad": "adset"}


def ratio(a: float, b: float) -> float:
    return a / b if b > 0 else NAN


def log_ratio(a: float, b: float) -> float:
    return math.log(a / b) if a > 0 and b > 0 else NAN


class Days:
    """A table as dense arrays by entity, with ad sets' budgets held for 28 days."""

    def __init__(self, table: pd.DataFrame, immature: int, curve: list[float], month_budget: float | None) -> None:
        self.m, self.curve, self.month_budget = immature, curve, month_budget
        self.start, self.count = table["date"].min(), (table["date"].max() - table["date"].min()).days + 1
        table = table.assign(day=(table["date"] - self.start).dt.days)
        self.values: dict[str, dict[tuple[str, ...], dict[str, np.ndarray]]] = {}
        for level, keys in KEYS.items():
            groups = table.groupby(keys) if keys else [((), table)]
            self.values[level] = {tuple(key): self._dense(rows) for key, rows in groups}
        for key, own in self.values["adset"].items():
            own["budget"] = self._held(table[(table["campaign"] == key[0]) & (table["adset"] == key[1])])
        for level in ("campaign", "account"):
            for key, own in self.values[level].items():
                inside = [v["budget"] for k, v in self.values["adset"].items() if k[: len(key)] == key]
                own["budget"] = np.sum(inside, axis=0)

    def _dense(self, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        out = {name: np.zeros(self.count) for name in (*METRICS, "present")}
        for row in rows.to_dict("records"):
            for name in METRICS:
                out[name][row["day"]] += row[name]
            out["present"][row["day"]] = 1
        return out

    def _held(self, rows: pd.DataFrame) -> np.ndarray:
        known = rows.groupby("day")["budget"].max()
        out = np.zeros(self.count)
        for day in range(self.count):
            seen = known[known.index <= day]
            if len(seen) and seen.index[-1] >= day - 28:
                out[day] = seen.iloc[-1]
        return out

    def window(self, v: np.ndarray, end: int, days: int) -> np.ndarray:
        """Days (end - days, end], zeros before the table."""
        return np.array([v[d] if d >= 0 else 0.0 for d in range(end - days + 1, end + 1)])

    def rows(self, level: str) -> pd.DataFrame:
        """All features of all entities and dates of a level."""
        out = []
        for key, own in self.values[level].items():
            first = int(np.flatnonzero(own["present"])[0])
            for t in range(first, self.count):
                if self.window(own["present"], t, 28 + self.m).any():
                    parent = None
                    if level in PARENT:
                        parent = self.values[PARENT[level]][key[:-1]]
                    out.append(dict(zip(KEYS[level], key, strict=True)) | self.features(own, parent, t, first, level))
        return pd.DataFrame(out)

    def sums(self, own: dict[str, np.ndarray], t: int) -> dict[str, float]:
        out = {}
        for w in (1, 3, 7, 14, 28):
            for name in ("spend", "impressions", "clicks", "reach"):
                out[f"{name}_{w}d"] = self.window(own[name], t, w).sum()
            for name, of in (
                ("purchases", "purchases"),
                ("revenue", "revenue"),
                ("mature_spend", "spend"),
                ("mature_clicks", "clicks"),
            ):
                out[f"{name}_{w}d"] = self.window(own[of], t - self.m, w).sum()
        return out

    def ratios(self, s: dict[str, float]) -> dict[str, float]:
        out = {}
        for w in (1, 3, 7, 14, 28):
            out[f"ctr_{w}d"] = ratio(s[f"clicks_{w}d"], s[f"impressions_{w}d"])
            out[f"cpc_{w}d"] = ratio(s[f"spend_{w}d"], s[f"clicks_{w}d"])
            out[f"cpm_{w}d"] = ratio(1000 * s[f"spend_{w}d"], s[f"impressions_{w}d"])
            out[f"cvr_{w}d"] = ratio(s[f"purchases_{w}d"], s[f"mature_clicks_{w}d"])
            out[f"aov_{w}d"] = ratio(s[f"revenue_{w}d"], s[f"purchases_{w}d"])
            out[f"cpa_{w}d"] = ratio(s[f"mature_spend_{w}d"], s[f"purchases_{w}d"])
            out[f"roas_{w}d"] = ratio(s[f"revenue_{w}d"], s[f"mature_spend_{w}d"])
        return out

    def features(
        self, own: dict[str, np.ndarray], parent: dict[str, np.ndarray] | None, t: int, first: int, level: str
    ) -> dict[str, Any]:
        s = self.sums(own, t)
        r = self.ratios(s)
        date = self.start + pd.Timedelta(days=t + 1)
        f: dict[str, Any] = {"date": date} | s | r
        for n in ("roas", "cvr", "cpa", "ctr", "cpc", "cpm"):
            f[f"{n}_trend"] = log_ratio(r[f"{n}_7d"], r[f"{n}_28d"])
        for n in ("spend", "purchases"):
            f[f"{n}_trend"] = log_ratio(s[f"{n}_7d"] / 7, s[f"{n}_28d"] / 28)
        for n, end in (("spend", t), ("revenue", t - self.m)):
            days = self.window(own[n], end, 14)
            f[f"{n}_volatility"] = ratio(days.std(), days.mean())
        if parent is not None:
            p = self.sums(parent, t)
            q = self.ratios(p)
            for n, w in (("spend", 7), ("purchases", 14), ("revenue", 14)):
                f[f"{n}_share"] = ratio(s[f"{n}_{w}d"], p[f"{n}_{w}d"])
            for n, w in (("roas", 14), ("cpa", 14), ("cvr", 14), ("ctr", 7), ("cpc", 7), ("cpm", 7)):
                f[f"{n}_relative"] = ratio(r[f"{n}_{w}d"], q[f"{n}_{w}d"])
        if level != "ad":
            f |= self.budgets(own, s, t, first)
        before = self.window(own["clicks"], t - 7, 21).sum(), self.window(own["impressions"], t - 7, 21).sum()
        f["age_days"] = t - first + 1
        f["active_days"] = (self.window(own["spend"], t, 28) > 0).sum()
        f["frequency"] = ratio(s["impressions_7d"], s["reach_7d"])
        known = s["impressions_7d"] > 0 and before[0] > 0
        f["fatigue"] = 1 - (s["clicks_7d"] / s["impressions_7d"]) / (before[0] / before[1]) if known else 0.0
        spent = 0.0
        for spend, bought in zip(
            self.window(own["spend"], t - self.m, 28)[::-1], self.window(own["purchases"], t - self.m, 28)[::-1], strict=True
        ):
            if bought > 0:
                break
            spent += spend
        f["spend_since_purchase"] = spent
        f["attribution_maturity"] = np.mean(([*self.curve, *[1.0] * 7])[:7])
        angle = 2 * math.pi * date.day_of_year / 365.25
        f |= {"weekday": date.weekday(), "season_sin": math.sin(angle), "season_cos": math.cos(angle)}
        f |= {"month_day": date.day, "month_days": date.days_in_month}
        f["month_spend"] = self.window(own["spend"], t, date.day - 1).sum()
        if level == "account":
            due = (self.month_budget or NAN) * (date.day - 1) / date.days_in_month
            f["month_pacing"] = ratio(f["month_spend"], due)
        return f

    def budgets(self, own: dict[str, np.ndarray], s: dict[str, float], t: int, first: int) -> dict[str, float]:
        budget = own["budget"]
        changes = [d for d in range(first + 1, t + 1) if abs(budget[d] - budget[d - 1]) > 0.01 * budget[d - 1]]
        since = t - changes[-1] if changes else t - first + 1
        seven = self.window(budget, t, 7).sum()
        return {
            "budget": budget[t],
            "budget_7d": seven,
            "utilisation": ratio(s["spend_7d"], seven),
            "budget_change": log_ratio(budget[t], budget[t - 7] if t >= 7 else 0.0),
            "days_since_change": since,
            "learning_events": self.window(own["purchases"], t, min(7, since + 1)).sum(),
        }
