"""Response curves of a plan against closed forms, and those of a recommendation against the response of its fit."""

from __future__ import annotations

import numpy as np
import pytest

from mmx.decide.plan_curves import POINTS, brought, observed_edge, shares
from mmx.decide.recommend import recommend
from mmx.mmm.fit import Fit

from .fakes import curves, flights

CHANNELS = np.arange(3)
MONEY = np.array([50.0, 100.0, 150.0])
SPEND = np.linspace([0.0, 0.0, 0.0], [100.0, 200.0, 300.0], 5)
QUICK = {"frontier": (), "next_test": False, "horizon": 8}


class Joint:
    """One block: channels multiply, ``scale * (1 + a) (1 + b)**2 - scale``; the second channel has two cells."""

    samples, blocks = 2, np.zeros(3, dtype=np.intp)
    scale = np.array([1.0, 2.0])

    def value(self, money: np.ndarray) -> np.ndarray:
        return self.value_and_slope(money)[0]

    def value_and_slope(self, money: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b = money[0], money[1] + money[2]
        value = self.scale * ((1 + a) * (1 + b) ** 2 - 1)
        slope = np.array([(1 + b) ** 2, 2 * (1 + a) * (1 + b), 2 * (1 + a) * (1 + b)])
        return value[:, None], self.scale[:, None] * slope


def test_a_curve_is_that_of_its_channel() -> None:
    response = curves(1, 40, 3, shape=(1.2, 2.0))
    value, slope = brought(response, CHANNELS, MONEY, np.ones(3), SPEND)
    ratio = (SPEND[:, None] / response.half) ** response.shape
    np.testing.assert_allclose(value, response.top * ratio / (1 + ratio), rtol=1e-12)
    step = 1e-4
    after, _ = brought(response, CHANNELS, MONEY, np.ones(3), SPEND + step)
    before, _ = brought(response, CHANNELS, MONEY, np.ones(3), SPEND - step * (SPEND > 0))
    np.testing.assert_allclose(slope[1:], ((after - before) / (2 * step)).mean(axis=1)[1:], rtol=1e-6)


def test_cells_of_a_channel_are_scaled_together() -> None:
    response = flights(2, 30, 2, periods=3)
    channel, plan = np.repeat([0, 1], 3), np.array([10.0, 0.0, 30.0, 5.0, 5.0, 10.0])
    share = shares(channel, (plan,))
    np.testing.assert_allclose(share, [0.25, 0.0, 0.75, 0.25, 0.25, 0.5])
    value, slope = brought(response, channel, plan, share, np.array([[40.0, 20.0], [80.0, 10.0]]))
    np.testing.assert_allclose(value[0], response.value(plan), rtol=1e-12)
    np.testing.assert_allclose(value[1], response.value(plan * np.repeat([2.0, 0.5], 3)), rtol=1e-12)
    slopes = response.value_and_slope(plan)[1].mean(axis=0) * share
    np.testing.assert_allclose(slope[0], [slopes[:3].sum(), slopes[3:].sum()], rtol=1e-12)


def test_channels_that_multiply_have_the_others_as_planned() -> None:
    channel, plan = np.array([0, 1, 1]), np.array([3.0, 1.0, 1.0])
    spend = np.array([[0.0, 0.0], [3.0, 2.0], [6.0, 4.0]])
    value, slope = brought(Joint(), channel, plan, shares(channel, (plan,)), spend)
    np.testing.assert_allclose(value[:, 0], [[0.0, 0.0], [27.0, 32.0], [54.0, 96.0]])
    np.testing.assert_allclose(value[:, 1], 2 * value[:, 0])
    np.testing.assert_allclose(slope, 1.5 * np.array([[9.0, 8.0], [9.0, 24.0], [9.0, 40.0]]))


def test_cells_without_money_do_not_count_although_they_start_infinitely_steep() -> None:
    response = curves(3, 20, 3, shape=(0.4, 0.8))
    value, slope = brought(response, np.array([0, 0, 1]), np.array([4.0, 0.0, 2.0]), np.array([1.0, 0.0, 1.0]), SPEND[1:, :2])
    assert np.isfinite(value).all() and np.isfinite(slope).all()


def test_a_channel_without_money_is_scaled_by_the_next_pattern_that_has_some() -> None:
    channel = np.array([0, 0, 1, 1])
    first, second = np.array([0.0, 0.0, 1.0, 3.0]), np.array([2.0, 6.0, 1.0, 1.0])
    np.testing.assert_allclose(shares(channel, (first, second, np.ones(4))), [0.25, 0.75, 0.25, 0.75])
    np.testing.assert_allclose(shares(channel, (np.zeros(4), np.zeros(4), np.ones(4))), 0.5)


def test_the_observed_range_ends_where_the_first_geo_leaves_it() -> None:
    plan = np.array([[0.5, 0.2, 0.0], [0.5, 0.0, 0.3]])
    observed = np.array([[100.0, 50.0, 0.0], [60.0, 50.0, 0.0]])
    assert observed_edge(plan, observed).tolist() == [120.0, 250.0, 0.0]


@pytest.mark.parametrize("name", ["national_fit", "geo_fit"])
def test_a_recommendations_curves_go_through_both_plans(name: str, request: pytest.FixtureRequest) -> None:
    made: Fit = request.getfixturevalue(name)
    plan, posterior = recommend(made, **QUICK), made.posterior
    spend = posterior.reference(8).spend
    most = posterior.panel.array("spend")[:, posterior.window].max(axis=1)
    nothing = posterior.response(0 * spend)
    for c, curve in enumerate(plan.curves):
        channel = plan.channels[curve.channel]
        assert (curve.current, curve.recommended) == (channel.current_spend, channel.recommended_spend)
        at = {p.spend: p for p in curve.points}
        assert list(at) == sorted(at) and POINTS <= len(at) <= POINTS + 3
        assert curve.points[0].value.mean == 0.0
        assert curve.points[-1].spend >= channel.high
        for money, factor in ((curve.current, 1.0), (curve.recommended, channel.multiplier)):
            draws = (posterior.response(factor * spend) - nothing)[:, c]
            want = (draws.mean(), *np.quantile(draws, [0.05, 0.95]))
            assert (at[money].value.mean, at[money].value.q05, at[money].value.q95) == pytest.approx(want, rel=1e-8)
        assert at[curve.recommended].mroas == pytest.approx(channel.mroas_recommended.mean, rel=0.01)
        scaled = spend[..., c].max(axis=0) * curve.observed / channel.current_spend
        assert (scaled <= most[:, c] * (1 + 1e-9)).all() and (scaled >= most[:, c] * (1 - 1e-9)).any()
        assert channel.outside_observed == (curve.recommended > curve.observed * (1 + 1e-9))


def test_curves_of_flighting_keep_the_recommended_pattern(national_fit: Fit) -> None:
    plan = recommend(national_fit, by=("channel", "period"), every=4, **QUICK)
    posterior = national_fit.posterior
    planned = np.array([c.recommended for c in plan.cells]).reshape(4, 1, 8).transpose(2, 1, 0)
    draws = posterior.response(planned) - posterior.response(0 * planned)
    for c, curve in enumerate(plan.curves):
        at = {p.spend: p.value for p in curve.points}
        assert at[curve.recommended].mean == pytest.approx(draws[:, c].mean(), rel=1e-8)


def test_a_channel_that_gets_nothing_has_a_curve_of_some_draws(national_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmx.decide.recommend.SOME", 20)
    plan = recommend(national_fit, channels={"tv": {"fixed": 0.0}}, **QUICK)
    (tv,) = [curve for curve in plan.curves if curve.channel == "tv"]
    assert (tv.recommended, tv.points[0].spend, tv.points[0].value.mean) == (0.0, 0.0, 0.0)
    assert tv.points[0].mroas == pytest.approx(tv.points[1].value.mean / tv.points[1].spend)
    assert any("at most 20 evenly spaced draws" in note for note in plan.notes)
