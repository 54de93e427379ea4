from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mmx.mmm.fit import Fit
from mmx.mmm.posterior import Posterior
from mmx.mmm.quantities import _crps, _quantiles

from .. import oracle

QUANTITIES = ("roas", "mroas", "roas_long", "mroas_long", "contribution", "contribution_long", "contribution_share")


@pytest.fixture(params=["national_fit", "geo_fit"])
def made(request: pytest.FixtureRequest) -> Fit:
    return request.getfixturevalue(request.param)


def by_loops(posterior: Posterior, draw: int, factor: float) -> np.ndarray:
    """Money by period and medium of one draw, (stop + tail, media), with the training rows' exposure multiplied."""
    spec, panel = posterior.spec, posterior.panel
    x = oracle.exposure(spec, panel)[: posterior.stop]
    x = np.where(posterior.window[: posterior.stop, None, None], factor * x, x)
    money = oracle.money(spec, panel)[: posterior.stop]
    after = np.repeat(money[posterior.window[: posterior.stop]].mean(axis=0)[None], posterior.tail, axis=0)
    x = np.concatenate([x, np.zeros((posterior.tail, *x.shape[1:]))])
    values = {name: value[draw] for name, value in posterior.params.items()}
    acting = oracle.saturated(spec, values, x)
    return np.einsum("tgm,gm,tg->tm", acting, posterior.beta[draw], np.concatenate([money, after]))


def quantities_of(posterior: Posterior, draw: int) -> dict[str, np.ndarray]:
    """Every reported quantity of one draw, (media,), as the definitions state them."""
    zero, actual, more = (by_loops(posterior, draw, k) for k in (0.0, 1.0, 1.01))
    inside = np.append(posterior.window[: posterior.stop], np.zeros(posterior.tail, dtype=bool))
    after = np.arange(len(inside)) >= posterior.stop
    panel = posterior.panel
    spend = panel.array("spend")[:, posterior.window].sum(axis=(0, 1))
    kpi = (panel.array("kpi") * panel.array("unit_value"))[:, posterior.window].sum()
    paid = slice(0, len(spend))
    found = {"contribution": (actual - zero)[inside].sum(axis=0), "step": (more - actual)[inside].sum(axis=0)}
    found["contribution_long"] = found["contribution"] + (actual - zero)[after].sum(axis=0)
    step_long = found["step"] + (more - actual)[after].sum(axis=0)
    found["contribution_share"] = found["contribution"] / kpi
    found["roas"], found["roas_long"] = (found[k][paid] / spend for k in ("contribution", "contribution_long"))
    found["mroas"], found["mroas_long"] = found.pop("step")[paid] / (0.01 * spend), step_long[paid] / (0.01 * spend)
    return found


def of_draws(made: Fit, draws: range) -> Fit:
    """The fit with a few of its draws only."""
    from dataclasses import replace

    posterior = made.posterior
    rows = np.array(draws)
    few = replace(
        posterior,
        params={name: value[rows] for name, value in posterior.params.items()},
        beta=posterior.beta[rows],
        gamma=posterior.gamma[rows],
        local=posterior.local[rows],
        chains=2,
    )
    stats = {name: value.reshape(-1)[rows].reshape(2, -1) for name, value in made.draws.stats.items()}
    return replace(made, posterior=few, draws=replace(made.draws, stats=stats))


def test_reported_quantities_are_the_definitions(made: Fit) -> None:
    few = of_draws(made, range(0, 100, 12)[:8])
    draws = [quantities_of(few.posterior, s) for s in range(8)]
    table = few.tables.channels.set_index("channel")
    media = list(few.posterior.media)
    for quantity in QUANTITIES:
        by_draw = np.array([d[quantity] for d in draws])
        names = media[: by_draw.shape[1]]
        for stat, value in {
            "mean": by_draw.mean(axis=0),
            "median": np.median(by_draw, axis=0),
            "q05": np.quantile(by_draw, 0.05, axis=0),
            "q95": np.quantile(by_draw, 0.95, axis=0),
        }.items():
            found = table.loc[names, f"{quantity}_{stat}"].to_numpy(dtype=float)
            np.testing.assert_allclose(found, value, rtol=1e-7, err_msg=f"{quantity}_{stat}")
    assert table.loc["mail", [f"{q}_mean" for q in ("roas", "mroas", "roas_long", "mroas_long")]].isna().all()
    assert table["kind"].tolist() == ["paid"] * 4 + ["organic", "treatment"]
    spend = made.panel.array("spend")[:, made.posterior.window].sum(axis=(0, 1))
    np.testing.assert_allclose(table["spend"].to_numpy(dtype=float)[:4], spend, rtol=1e-13)


def test_effects_by_period_are_the_brute_force(made: Fit) -> None:
    for draw in (0, 61):
        zero, actual = (by_loops(made.posterior, draw, k) for k in (0.0, 1.0))
        scale = np.abs(actual).max()
        np.testing.assert_allclose(made.effects.by_period[draw], actual - zero, rtol=1e-9, atol=1e-11 * scale)
        np.testing.assert_allclose(made.effects.zero[draw], zero, rtol=1e-9, atol=1e-11 * scale)
    assert made.effects.zero[:, 0].max() > 0


def test_the_parts_add_up_to_the_prediction(made: Fit) -> None:
    """Baseline, carry-in, media and treatments in each period, in money where the KPI's worth is the same in all geos."""
    tables = made.tables
    unit = made.panel.array("unit_value")[0, made.posterior.window]
    assert made.posterior.structure.geos == 1 or (unit == 1).all()
    base = tables.baseline.set_index("date").groupby("component")["mean"]
    media = tables.contributions.groupby("date")["mean"].sum()
    total = base.get_group("baseline") + base.get_group("carry_in") + media
    np.testing.assert_allclose(total.to_numpy(), tables.fitted["mean"].to_numpy() * unit, rtol=1e-9)
    pd.testing.assert_index_equal(total.index, pd.DatetimeIndex(tables.fitted["date"]), check_names=False)
    parts = [c for c in tables.baseline["component"].unique() if c not in ("baseline", "carry_in")]
    assert set(parts) == {"intercept", "trend", "season", "drift", "controls", "events"}
    summed = sum(base.get_group(c) for c in parts)
    np.testing.assert_allclose(summed, base.get_group("baseline"), rtol=1e-9)
    np.testing.assert_array_equal(tables.fitted["kpi"], made.panel.array("kpi")[:, made.posterior.window].sum(axis=0))


def test_periods_add_up_to_the_channel(made: Fit) -> None:
    by_channel = made.tables.contributions.groupby("channel", sort=False)["mean"].sum()
    reported = made.tables.channels.set_index("channel")["contribution_mean"]
    np.testing.assert_allclose(by_channel.to_numpy(), reported.loc[by_channel.index].to_numpy(dtype=float), rtol=1e-9)


def test_the_sampled_roas_is_the_reported_one(made: Fit) -> None:
    """Up to the single precision that draws are stored in."""
    posterior = made.posterior
    inside = np.append(posterior.window[: posterior.stop], np.zeros(posterior.tail, dtype=bool))
    spend = made.panel.array("spend")[:, posterior.window].sum(axis=(0, 1))
    roas = made.effects.by_period[:, inside, :4].sum(axis=1) / spend
    np.testing.assert_allclose(roas, posterior.params["effect"][:, :4], rtol=1e-5)


def test_curves_pass_through_nothing_and_the_contribution(made: Fit) -> None:
    curves = made.tables.curves
    np.testing.assert_array_equal(curves.loc[curves["multiplier"] == 0, "mean"], 0.0)
    now = curves[curves["multiplier"] == 1].set_index("channel")["mean"]
    reported = made.tables.channels.set_index("channel")["contribution_mean"].loc[now.index].astype(float)
    np.testing.assert_allclose(now, reported, rtol=1e-9)
    for _, curve in curves.groupby("channel"):
        assert (np.diff(curve["mean"]) > 0).all()
        assert (np.diff(curve["observed"].astype(int)) <= 0).all()
    spend = curves[(curves["channel"] == "tv") & (curves["multiplier"] == 2)]["spend"].item()
    assert spend == pytest.approx(2 * made.panel.array("spend")[:, made.posterior.window, 0].sum())


def test_accuracy_is_over_the_cells_of_the_window(made: Fit) -> None:
    fit, fitted = made.tables.fit, made.tables.fitted
    if made.posterior.structure.geos == 1:
        kpi, mean = fitted["kpi"].to_numpy(), fitted["mean"].to_numpy()
        assert fit["r2"] == pytest.approx(1 - ((kpi - mean) ** 2).sum() / ((kpi - kpi.mean()) ** 2).sum())
        assert fit["mape"] == pytest.approx(np.abs(1 - mean / kpi).mean())
        assert fit["wape"] == pytest.approx(np.abs(kpi - mean).sum() / kpi.sum())
        assert fit["coverage90"] == pytest.approx(((kpi >= fitted["q05"]) & (kpi <= fitted["q95"])).mean())
    assert 0 < fit["r2"] < 1
    assert 0.5 < fit["coverage90"] <= 1


def test_crps_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    draws, actual = rng.normal(size=(40, 3)), np.array([0.0, 1.0, 5.0])
    spread = np.abs(draws[:, None] - draws[None, :]).mean(axis=(0, 1))
    found = _crps(np.sort(draws.T, axis=1), actual)
    np.testing.assert_allclose(found, np.abs(draws - actual).mean(axis=0) - 0.5 * spread, rtol=1e-12)


@pytest.mark.parametrize("samples", [1, 2, 3, 40, 1000])
def test_quantiles_are_numpys(samples: int) -> None:
    values, shares = np.random.default_rng(1).normal(size=(samples, 3)), (0.0, 0.05, 0.5, 0.95, 1.0)
    found = _quantiles(np.sort(values.T, axis=1), shares)
    np.testing.assert_allclose(found, np.quantile(values, shares, axis=0), rtol=1e-13, atol=1e-14)


def test_the_tail_ends_where_little_is_left(national_fit: Fit) -> None:
    posterior = national_fit.posterior
    alpha = min(np.quantile(posterior.params["alpha"], 0.99), 0.999)
    assert posterior.tail >= 5
    twice = any(family == "two_stage" for family, _ in posterior.structure.adstock)

    def left(lag: int) -> float:
        """Share of a pulse still to come, by the slowest carryover that the families allow."""
        return float(alpha**lag * (1 + twice * lag * (1 - alpha)))

    assert posterior.tail == 53 or left(posterior.tail) <= 0.001 < left(posterior.tail - 1)
