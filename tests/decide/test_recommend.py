from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mmx.decide.recommend import recommend
from mmx.decide.recommendation import Recommendation
from mmx.errors import DecisionError, NotConvergedError
from mmx.infer.gate import Gate
from mmx.mmm.fit import Fit, fit

from ..panels import changed

HORIZON = 8
QUICK = {"frontier": (), "next_test": False}


@pytest.fixture(params=["national_fit", "geo_fit"])
def made(request: pytest.FixtureRequest) -> Fit:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def plans(national_fit: Fit, geo_fit: Fit) -> dict[str, Recommendation]:
    return {f.panel.target_kind: recommend(f, horizon=HORIZON) for f in (national_fit, geo_fit)}


def current_spend(made: Fit, horizon: int = HORIZON) -> np.ndarray:
    stop = made.posterior.stop
    return made.panel.array("spend")[:, stop - horizon : stop].sum(axis=(0, 1))


def test_cells_add_up_to_channels_and_the_total(made: Fit, plans: dict[str, Recommendation]) -> None:
    plan = plans[made.panel.target_kind]
    for name, channel in plan.channels.items():
        cells = [c for c in plan.cells if c.channel == name]
        assert len(cells) == HORIZON * made.posterior.structure.geos
        assert sum(c.current for c in cells) == pytest.approx(channel.current_spend, rel=1e-12)
        assert sum(c.recommended for c in cells) == pytest.approx(channel.recommended_spend, rel=1e-12)
        assert channel.low * (1 - 1e-9) <= channel.recommended_spend <= channel.high * (1 + 1e-9)
        assert (channel.low, channel.high) == pytest.approx((0.5 * channel.current_spend, 2 * channel.current_spend))
    spent = sum(c.recommended for c in plan.cells)
    assert spent == pytest.approx(plan.total, rel=1e-9)
    assert plan.total == pytest.approx(plan.current_total, rel=1e-9)
    assert plan.current_total == pytest.approx(current_spend(made).sum(), rel=1e-12)
    assert {c.geo for c in plan.cells} == set(made.panel.names("geo"))
    assert (plan.cells[0].start, plan.cells[0].end) == (plan.start, str(np.datetime64(plan.start) + np.timedelta64(6, "D")))


def test_the_gain_is_the_sum_of_the_channels(made: Fit, plans: dict[str, Recommendation]) -> None:
    plan, posterior = plans[made.panel.target_kind], made.posterior
    extra = [c.extra.mean for c in plan.channels.values()]
    assert sum(extra) == pytest.approx(plan.gain.mean, rel=1e-9, abs=1e-9 * np.abs(extra).max())
    multipliers = np.array([c.multiplier for c in plan.channels.values()])
    spend = posterior.reference(HORIZON).spend
    gain = (posterior.response(spend * multipliers) - posterior.response(spend)).sum(axis=1)
    q05, q95 = np.quantile(gain, [0.05, 0.95])
    assert (plan.gain.mean, plan.gain.q05, plan.gain.q95) == pytest.approx((gain.mean(), q05, q95), rel=1e-9)
    assert plan.probability_better == (gain > 0).mean()
    assert plan.gain.mean > 0


def test_marginal_roas_is_one_percent_more_of_everything(made: Fit, plans: dict[str, Recommendation]) -> None:
    plan, posterior = plans[made.panel.target_kind], made.posterior
    spend = posterior.reference(HORIZON).spend
    step = posterior.response(1.01 * spend) - posterior.response(spend)
    marginal = step / (0.01 * current_spend(made))
    for c, channel in enumerate(plan.channels.values()):
        assert channel.mroas_current.mean == pytest.approx(marginal[:, c].mean(), rel=1e-8)
        assert channel.mroas_current.q95 == pytest.approx(np.quantile(marginal[:, c], 0.95), rel=1e-8)


def test_no_plan_of_a_fine_search_is_better(made: Fit, plans: dict[str, Recommendation]) -> None:
    """Random plans of the same total within the bounds, judged on all draws."""
    plan, posterior = plans[made.panel.target_kind], made.posterior
    cost, spend, rng = current_spend(made), posterior.reference(HORIZON).spend, np.random.default_rng(0)
    best = posterior.response(spend * np.array([c.multiplier for c in plan.channels.values()])).sum(axis=1).mean()
    tried = 0
    while tried < 60:
        multipliers = rng.uniform(0.5, 2.0, 4)
        last = (plan.total - multipliers[:3] @ cost[:3]) / cost[3]
        if 0.5 <= last <= 2.0:
            multipliers[3] = last
            tried += 1
            worth = posterior.response(spend * multipliers).sum(axis=1).mean()
            assert worth <= best + plan.certificate.gap + 1e-9 * abs(best)
            assert plan.certificate.certified


@pytest.mark.parametrize(("factor", "bounds"), [(1.3, (0.5, 2.0)), (0.6, (0.0, 1.5)), (1.0, (1.0, 1.0)), (2.0, (0.2, 2.0))])
def test_another_total_is_spent_exactly_and_never_worse_than_the_scaled_plan(
    made: Fit, factor: float, bounds: tuple[float, float]
) -> None:
    total = factor * float(current_spend(made).sum())
    plan = recommend(made, total=total, horizon=HORIZON, bounds=bounds, **QUICK)
    assert plan.total == pytest.approx(total, rel=1e-9)
    assert sum(c.recommended_spend for c in plan.channels.values()) == pytest.approx(total, rel=1e-9)
    rounding = 1e-9 * made.posterior.response(made.posterior.reference(HORIZON).spend).sum(axis=1).mean()
    assert plan.gain.mean >= -rounding
    assert sum(c.extra.mean for c in plan.channels.values()) == pytest.approx(plan.gain.mean, abs=rounding)
    for channel in plan.channels.values():
        assert bounds[0] * (1 - 1e-9) <= channel.multiplier <= bounds[1] * (1 + 1e-9)
    if bounds[0] == bounds[1] or factor == bounds[1]:
        assert plan.gain.mean == pytest.approx(0.0, abs=rounding)


@pytest.mark.parametrize("factor", [0.4, 2.1])
def test_a_total_that_cannot_be_reached_is_refused_with_the_range(made: Fit, factor: float) -> None:
    now = float(current_spend(made).sum())
    with pytest.raises(DecisionError, match="cannot be reached") as refused:
        recommend(made, total=factor * now, horizon=HORIZON, **QUICK)
    asked, least, most = (float(n.replace(",", "")) for n in re.findall(r"[\d,]+\.\d\d", str(refused.value)))
    assert (asked, least, most) == pytest.approx((factor * now, 0.5 * now, 2.0 * now), abs=0.01)
    assert "EUR" in str(refused.value)


def test_an_unconverged_fit_is_refused_unless_allowed(made: Fit) -> None:
    failed = replace(made, gate=Gate(False, ("R-hat above 1.01",), 1.2, 50.0, 50.0, 0.5, 3, 0))
    with pytest.raises(NotConvergedError, match=r"R-hat above 1\.01.*--allow-unconverged"):
        recommend(failed, horizon=HORIZON, **QUICK)
    plan = recommend(failed, horizon=HORIZON, allow_unconverged=True, **QUICK)
    assert not plan.converged
    assert plan.gate_reasons == ("R-hat above 1.01",)
    assert recommend(made, horizon=HORIZON, **QUICK).converged


@pytest.mark.parametrize(("horizon", "reference"), [(62, "last"), (53, "last_year")])
def test_a_horizon_longer_than_the_data_is_refused(made: Fit, horizon: int, reference: str) -> None:
    with pytest.raises(DecisionError, match="Take a shorter horizon"):
        recommend(made, horizon=horizon, reference=reference, **QUICK)


def test_last_year_is_scaled_from_the_weeks_a_year_ago(made: Fit) -> None:
    plan = recommend(made, horizon=4, reference="last_year", **QUICK)
    first = made.posterior.stop - 52
    spend = made.panel.array("spend")[:, first : first + 4]
    found = np.array([c.current for c in plan.cells]).reshape(4, made.posterior.structure.geos, 4)
    np.testing.assert_array_equal(found, np.moveaxis(spend, 2, 0))
    assert plan.reference == "last_year"
    assert plan.start == str(made.panel.dates[made.posterior.stop - 1] + np.timedelta64(7, "D"))


def test_twice_the_currency_is_twice_the_plan(national_fit: Fit, plans: dict[str, Recommendation]) -> None:
    """By a power of two, so that the fit has the same draws to the last bit."""
    panel, bought = national_fit.panel, np.array(national_fit.panel.has_exposure)
    dear = changed(
        panel,
        spend=2 * panel.array("spend"),
        exposure=np.where(bought, 1, 2) * panel.array("exposure"),
        unit_value=2 * panel.array("unit_value"),
    )
    other = fit(dear, national_fit.spec.model_copy(update={"constants": None}), seed=1)
    assert other.draws.q.tobytes() == national_fit.draws.q.tobytes()
    one, two = plans["count"], recommend(other, horizon=HORIZON, **QUICK)
    assert two.total == pytest.approx(2 * one.total, rel=1e-9)
    assert two.gain.mean == pytest.approx(2 * one.gain.mean, rel=1e-6)
    assert two.probability_better == one.probability_better
    for name, channel in one.channels.items():
        assert two.channels[name].recommended_spend == pytest.approx(2 * channel.recommended_spend, rel=1e-6)
        assert two.channels[name].mroas_current.mean == pytest.approx(channel.mroas_current.mean, rel=1e-9)


def test_a_channel_that_is_off_stays_off(national_fit: Fit) -> None:
    panel, posterior = national_fit.panel, national_fit.posterior
    late = np.arange(len(panel.window)) >= posterior.stop - HORIZON
    spend, exposure = panel.array("spend"), panel.array("exposure")
    spend[:, late, 0] = exposure[:, late, 0] = 0.0
    quiet = replace(national_fit, posterior=replace(posterior, panel=changed(panel, spend=spend, exposure=exposure)))
    plan = recommend(quiet, horizon=HORIZON, **QUICK)
    tv = plan.channels["tv"]
    assert (tv.current_spend, tv.recommended_spend, tv.multiplier, tv.binding) == (0.0, 0.0, 1.0, "no spend to scale")
    assert tv.extra.mean == 0.0
    assert sum(c.recommended_spend for c in plan.channels.values()) == pytest.approx(plan.total, rel=1e-9)
    assert any("No spend in the reference window: tv" in u for u in plan.unknowns)


def test_nothing_to_scale_is_refused(national_fit: Fit) -> None:
    panel, posterior = national_fit.panel, national_fit.posterior
    late = np.arange(len(panel.window)) >= posterior.stop - HORIZON
    spend, exposure = panel.array("spend"), panel.array("exposure")
    spend[:, late], exposure[:, late] = 0.0, 0.0
    quiet = replace(national_fit, posterior=replace(posterior, panel=changed(panel, spend=spend, exposure=exposure)))
    with pytest.raises(DecisionError, match="no channel spends"):
        recommend(quiet, horizon=HORIZON, **QUICK)


def test_what_lies_outside_the_observed_spend_is_marked(made: Fit) -> None:
    plan = recommend(made, total=1.9 * float(current_spend(made).sum()), horizon=HORIZON, **QUICK)
    largest = made.panel.array("spend")[:, made.posterior.window].max(axis=1)
    reference = made.posterior.reference(HORIZON).spend
    for c, (name, channel) in enumerate(plan.channels.items()):
        assert channel.outside_observed == (reference[..., c] * channel.multiplier > largest[:, c]).any(), name
    assert any(c.outside_observed for c in plan.channels.values())
