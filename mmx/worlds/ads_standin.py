"""Generated stand-ins for tables of ads that cannot be shipped: the files and columns that a configuration names.

Small accounts of two campaigns with three ad sets of two ads. Where names are unified, some are misspelled; where values are
recovered, some are missing. The numbers are plausible and independent of one another: there is no truth to be learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mmx.data.ads.layouts import GOOGLE, META
from mmx.worlds import draws

if TYPE_CHECKING:
    from mmx.ads_settings import AdsSettings

DAYS = 45
START = "2025-01-01"
CAMPAIGNS = ("Autumn Prospecting Broad", "Winter Retargeting Basket")
SLIPS = {" Broad": "_Broad", " Basket": " Bsket"}
DIRTY, EMPTY = 0.05, 0.03
VALUES = {"platform": ("Facebook", "Instagram"), "country": ("US", "UK"), "device": ("mobile", "desktop")}
FIRST_ID = 6_000_000_000_000


def ads_like(settings: AdsSettings, *, seed: int) -> dict[str, pd.DataFrame]:
    """Generate the tables that the settings name, by the names of their files.

    Parameters
    ----------
    settings : AdsSettings
    seed : int

    Returns
    -------
    dict of str to DataFrame
        One table for each of ``tables`` or the first of ``files``, whose ``*`` becomes ``1``.
    """
    rows = _rows(seed)
    if settings.table_schema == "fivetran_facebook":
        return {Path(settings.tables[k]).name: t for k, t in _facebook(rows, settings).items() if k in settings.tables}
    if settings.table_schema == "fivetran_google":
        return {Path(settings.tables[k]).name: t for k, t in _google(rows).items() if k in settings.tables}
    known = {"meta_export": META, "google_export": GOOGLE}.get(settings.table_schema, {})
    columns: dict[str, str] = {name: options[0].replace("*", "") for name, options in known.items()}
    columns |= {str(name): column for name, column in settings.columns.items()}
    if "ad" not in columns:
        rows = rows[rows["ad"].str.endswith("1")]
    rows = _dirty(rows, settings, draws.stream(seed, "dirt"))
    if settings.table_schema != "flat":
        rows = rows.assign(ctr=(100 * rows["ctr"]).round(2).astype(str) + "%")
    table = rows[list(columns)].rename(columns=columns)
    return {Path(settings.files[0]).name.replace("*", "1"): table}


def _rows(seed: int) -> pd.DataFrame:
    rng = draws.stream(seed, "ads")
    frames = []
    days = pd.date_range(START, periods=DAYS).strftime("%Y-%m-%d")
    number = 0
    for campaign in CAMPAIGNS:
        for adset in ("Set-1 Retarget", "Set-2 Broad", "Set-3 LAL1"):
            for ad in ("Creative 1", "Creative 2"):
                number += 1
                spend = np.round(rng.gamma(4, 25, DAYS), 2)
                impressions = 1 + rng.poisson(100 * spend)
                clicks = rng.binomial(impressions, 0.012)
                purchases = rng.binomial(clicks, 0.04)
                revenue = np.round(purchases * rng.gamma(9, 5, DAYS), 2)
                frames.append(
                    pd.DataFrame(
                        {
                            "date": days,
                            "account": "standin",
                            "campaign": campaign,
                            "adset": adset,
                            "ad": ad,
                            "number": number,
                            "spend": spend,
                            "impressions": impressions,
                            "clicks": clicks.astype(float),
                            "purchases": purchases,
                            "revenue": revenue,
                            "reach": np.maximum(1, (impressions * 0.8).astype(int)),
                            "budget": 100 + 10 * number,
                            "status": "ACTIVE",
                            "channel": "social",
                            "placement": "feed",
                        }
                        | {name: rng.choice(values, DAYS) for name, values in VALUES.items()}
                    )
                )
    rows = pd.concat(frames, ignore_index=True)
    rows["ctr"] = (rows["clicks"] / rows["impressions"]).round(4)
    rows["roas"] = (rows["revenue"] / rows["spend"]).round(2)
    rows["frequency"] = (rows["impressions"] / rows["reach"]).round(3)
    return rows


def _dirty(rows: pd.DataFrame, settings: AdsSettings, rng: np.random.Generator) -> pd.DataFrame:
    """Misspell names that are unified, and empty cells that are recovered; one value of a row at a time."""
    rows = rows.reset_index(drop=True)
    for column in settings.names.unify:
        few = rng.random(len(rows)) < DIRTY
        for name, slip in SLIPS.items():
            rows.loc[few, column] = rows.loc[few, column].str.replace(name, slip, regex=False)
    where = rng.random(len(rows))
    for k, metric in enumerate(settings.recover):
        rows.loc[(where >= k * EMPTY) & (where < (k + 1) * EMPTY) & (rows["roas"] > 0), metric] = np.nan
    return rows


def _facebook(rows: pd.DataFrame, settings: AdsSettings) -> Mapping[str, pd.DataFrame]:
    """Tables of the Facebook schema; ids of ads, sets and campaigns are numbers, as there."""
    ad_id = FIRST_ID + rows["number"]
    set_id = FIRST_ID + 100 + (rows["number"] + 1) // 2
    campaign_id = FIRST_ID + 200 + (rows["number"] - 1) // 6
    basic = pd.DataFrame(
        {
            "ad_id": ad_id,
            "date": rows["date"],
            "account_id": 1700,
            "impressions": rows["impressions"],
            "inline_link_clicks": rows["clicks"].astype(int),
            "spend": rows["spend"],
            "reach": rows["reach"],
        }
    )
    kind = settings.purchase_actions[0] if settings.purchase_actions else "purchase"
    action = {"ad_id": ad_id, "date": rows["date"], "_fivetran_id": "x", "index": 0, "action_type": kind}
    bought = rows["purchases"] > 0
    synced = "2025-03-01T00:00:00"

    def history(ids: pd.Series, names: pd.Series, **more: pd.Series) -> pd.DataFrame:
        now = pd.DataFrame({"id": ids, "account_id": 1700, **more, "name": names}).drop_duplicates("id")
        old = now.assign(name="before", updated_time="2025-01-01T00:00:00")
        both = pd.concat([old, now.assign(updated_time="2025-02-01T00:00:00")], ignore_index=True)
        return both.assign(_fivetran_synced=synced)

    return {
        "basic_ad": basic,
        "basic_ad_actions": pd.DataFrame(action | {"value": rows["purchases"]})[bought].assign(_7_d_click=1.0),
        "basic_ad_action_values": pd.DataFrame(action | {"value": rows["revenue"]})[bought].assign(_7_d_click=1.0),
        "ad_history": history(ad_id, rows["ad"], ad_set_id=set_id, campaign_id=campaign_id),
        "ad_set_history": history(set_id, rows["adset"], campaign_id=campaign_id),
        "campaign_history": history(campaign_id, rows["campaign"]),
    }


def _google(rows: pd.DataFrame) -> Mapping[str, pd.DataFrame]:
    """Tables of the Google schema, by device and network."""
    group = FIRST_ID + (rows["number"] + 1) // 2
    campaign = FIRST_ID + 100 + (rows["number"] - 1) // 6
    common = pd.DataFrame(
        {
            "customer_id": 2121,
            "date": rows["date"],
            "ad_network_type": "SEARCH",
            "device": np.where(rows["number"] % 2 == 0, "MOBILE", "DESKTOP"),
            "campaign_id": campaign,
            "clicks": rows["clicks"].astype(int),
            "conversions": rows["purchases"],
            "conversions_value": rows["revenue"],
            "cost_micros": (rows["spend"] * 1e6).round().astype(np.int64),
            "impressions": rows["impressions"],
        }
    )

    def history(ids: pd.Series, names: pd.Series) -> pd.DataFrame:
        return pd.DataFrame({"id": ids, "updated_at": "2025-02-01T00:00:00", "name": names}).drop_duplicates("id")

    path = "customers/2121/adGroups/" + group.astype(str)
    return {
        "ad_group_stats": common.assign(id=group, _fivetran_id="x"),
        "ad_stats": common.assign(
            ad_group_id="", ad_group=path, ad_id=FIRST_ID + rows["number"], keyword_ad_group_criterion="k"
        ),
        "campaign_history": history(campaign, rows["campaign"]),
        "ad_group_history": history(group, rows["adset"]),
    }
