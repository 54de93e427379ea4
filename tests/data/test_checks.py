from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from shop_tables import GEO_SETTINGS, SETTINGS, configured, geographic, national, write

import mmx
from mmx.config import Config
from mmx.data.checks import CheckResult, precheck
from mmx.data.panel import Panel
from mmx.data.prior_share import Implied, implied_shares
from mmx.spec import EffectPrior

NAMES = ["data overview", "notes", "collinearity", "share of spend", "weeks of spend", "range of spend", "prior contribution"]


def checked(
    folder: Path, frame: pd.DataFrame, *layers: dict[str, Any], base: Mapping[str, Any] = SETTINGS
) -> tuple[dict[str, CheckResult], Panel, Config]:
    config = configured(write(folder, frame), *layers, base=base)
    panel = mmx.load(config)
    return {r.name: r for r in precheck(panel, config)}, panel, config


def table(result: CheckResult) -> pd.DataFrame:
    assert result.table is not None
    return result.table


@pytest.mark.parametrize("geo", [False, True], ids=["national", "geo"])
def test_every_check_reports(tmp_path: Path, geo: bool) -> None:
    results, _, _ = checked(tmp_path, geographic() if geo else national(), base=GEO_SETTINGS if geo else SETTINGS)
    assert list(results) == NAMES
    assert all(r.text.endswith(".") for r in results.values())
    assert all(r.passed is not False for r in results.values())
    assert results["notes"].table is None


def test_shares_and_ranges_count_the_window_only(tmp_path: Path) -> None:
    frame = national()
    inside = frame.iloc[20:]
    results, _, _ = checked(tmp_path, frame, {"data": {"window": {"start": frame["week"][20]}}})
    share = table(results["share of spend"]).set_index("channel")
    total = inside[["tv_cost", "radio_cost"]].sum()
    assert share["spend"]["tv"] == pytest.approx(total["tv_cost"])
    assert share["share"].sum() == pytest.approx(1)
    weeks = table(results["weeks of spend"]).set_index("channel")
    assert weeks["periods"]["tv"] == (inside["tv_cost"] > 0).sum()
    assert weeks["of"]["tv"] == 100
    spread = table(results["range of spend"]).set_index("channel").loc["tv"]
    active = inside["tv_cost"][inside["tv_cost"] > 0]
    assert (spread["min_active"], spread["max"]) == (active.min(), active.max())
    assert spread["median_active"] == pytest.approx(active.median())
    assert spread["variation"] == pytest.approx(inside["tv_cost"].std(ddof=0) / inside["tv_cost"].mean())


def test_few_weeks_of_spend_are_flagged(tmp_path: Path) -> None:
    frame = national()
    frame.loc[9:, "tv_cost"] = 0
    frame.loc[:8, "tv_cost"] = 500.0 + frame.index[:9]
    results, _, config = checked(tmp_path, frame)
    assert config.checks.weeks_of_spend == 10
    assert results["weeks of spend"].passed is False
    assert "tv (9)" in results["weeks of spend"].text


def test_near_collinear_columns_are_flagged_by_both_limits(tmp_path: Path) -> None:
    frame = national()
    frame["tv_cost"] = (frame["radio_spots"] * 15 + np.random.default_rng(0).uniform(0, 20, len(frame))).round(2)
    results, _, _ = checked(tmp_path, frame)
    found = results["collinearity"]
    assert found.passed is False
    first = table(found).iloc[:2]
    assert set(first["column"]) == {"tv (channel)", "radio (channel)"}
    assert (first["vif"] > 10).all()
    assert (first["correlation"] > 0.99).all()
    assert "VIF above 10: " in found.text
    assert "Correlation above 0.9: tv (channel) and radio (channel)" in found.text


def test_prior_contribution_of_one_channel_is_a_closed_form(tmp_path: Path) -> None:
    results, panel, _ = checked(tmp_path, national())
    got = table(results["prior contribution"]).set_index("medium")
    sigma = np.log(3.9 / 1.2) / stats.norm.ppf(0.9)
    share = panel.array("spend")[..., 0].sum() / panel.array("kpi").sum()
    law = stats.lognorm(s=sigma, scale=1.2 * share)
    np.testing.assert_allclose(got.loc["tv", ["median", "q05", "q95"]].astype(float), law.ppf([0.5, 0.05, 0.95]), rtol=1e-12)
    again, _, _ = checked(tmp_path, national())
    pd.testing.assert_frame_equal(table(again["prior contribution"]), table(results["prior contribution"]))


def test_the_total_by_simulation_agrees_with_its_mean_and_order(tmp_path: Path) -> None:
    base = {"data": {k: v for k, v in SETTINGS["data"].items() if k != "organic"}}
    layer = {"model": {"priors": {"family": "normal", "mean": 1.0, "sd": 0.2}}}
    results, panel, _ = checked(tmp_path, national(), layer, base=base)
    got = table(results["prior contribution"]).set_index("medium")
    shares = panel.array("spend").sum(axis=(0, 1)) / panel.array("kpi").sum()
    law = stats.norm(shares.sum(), 0.2 * np.linalg.norm(shares))
    # 20,000 draws: the standard error of a 5 % quantile is below 0.015 standard deviations
    got_quantiles = got.loc["all media", ["median", "q05", "q95"]].astype(float)
    np.testing.assert_allclose(got_quantiles, law.ppf([0.5, 0.05, 0.95]), atol=0.06 * law.std())


def test_kinds_of_priors_imply_what_they_say(tmp_path: Path) -> None:
    contribution = {"kind": "contribution", "family": "lognormal", "median": 0.3, "q90": 0.5}
    own = {"kind": "contribution", "family": "lognormal", "median": 0.05, "q90": 0.1}
    channels = {"tv": {"spend": "tv_cost"}, "radio": {"spend": "radio_cost", "priors": own}, "web": {"spend": "w"}}
    config = configured(tmp_path, {"model": {"priors": contribution}, "data": {"channels": channels}})
    implied = implied_shares(config, {"tv": 10.0, "radio": 10.0, "web": 5.0}, ("mail",), 100.0)
    assert [(i.name, i.paid, i.median) for i in implied] == [
        ("channels together", True, pytest.approx(0.3)),
        ("radio", True, pytest.approx(0.05)),
        ("mail", False, pytest.approx(0.02)),
    ]
    coefficient = {"kind": "coefficient", "family": "normal", "mean": 1.0, "sd": 1.0}
    config = configured(tmp_path, {"model": {"priors": coefficient, "organic_priors": coefficient}})
    assert implied_shares(config, {"tv": 1.0, "radio": 1.0}, ("mail",), 100.0) == ()


@pytest.mark.parametrize(
    ("numbers", "law"),
    [
        ({"family": "lognormal", "median": 2.0, "q90": 5.0}, stats.lognorm(s=np.log(2.5) / stats.norm.ppf(0.9), scale=2)),
        ({"family": "lognormal", "mu": 0.3, "sigma": 0.7}, stats.lognorm(s=0.7, scale=np.exp(0.3))),
        ({"family": "normal", "median": 2.0, "q90": 5.0}, stats.norm(2, 3 / stats.norm.ppf(0.9))),
        ({"family": "normal", "mean": -1.0, "sd": 0.5}, stats.norm(-1, 0.5)),
    ],
    ids=["lognormal by quantiles", "lognormal", "normal by quantiles", "normal"],
)
def test_quantiles_and_draws_follow_the_prior(numbers: dict[str, Any], law: Any) -> None:
    implied = Implied("tv", True, EffectPrior(kind="roas", **numbers), 0.25)
    for p in (0.05, 0.5, 0.9, 0.95):
        assert implied.quantile(stats.norm.ppf(p)) == pytest.approx(0.25 * law.ppf(p))
    draws = implied.draws(np.random.default_rng(3), 4000)
    assert stats.kstest(draws / 0.25, law.cdf).pvalue > 1e-4
