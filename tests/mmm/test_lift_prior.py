from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from mmx.mmm.lift_prior import Pooled, informed, measured, pooled, updated
from mmx.mmm.resolve import resolve
from mmx.spec import EffectPrior, LiftTest, Spec

from ..panels import shop_config, shop_panel

BASE = {"test": "a", "channel": "tv", "start": "2022-03-14", "end": "2022-04-10", "metric": "roas", "value": 1.5, "se": 0.4}
PRIOR = EffectPrior(kind="roas", family="lognormal", median=1.2, q90=3.9)


def lift(**changes: Any) -> LiftTest:
    return LiftTest.model_validate(BASE | changes)


def as_prior(*tests: LiftTest, **model: Any) -> Spec:
    spec = shop_config({"model": model} if model else {}).spec
    return spec.model_copy(update={"lift_tests": tests, "lift_tests_as": "prior"})


def test_tests_are_pooled_by_precision() -> None:
    found = pooled([lift(), lift(value=2.5, se=0.4, inflation=2.0)], shop_panel())
    weights = np.array([0.4**-2, 0.8**-2])
    assert found.roas == pytest.approx((weights * [1.5, 2.5]).sum() / weights.sum())
    assert found.se == pytest.approx(weights.sum() ** -0.5)
    assert found.agreement == pytest.approx(2 * stats.norm.sf(1.0 / np.hypot(0.4, 0.8)), rel=1e-9)
    alone = pooled([lift(inflation=3.0)], shop_panel())
    assert (alone.roas, alone.agreement) == (1.5, None) and alone.se == pytest.approx(1.2)


@pytest.mark.parametrize("delta", [40.0, -40.0])
def test_sales_become_a_return_by_their_worth_and_the_spend_that_moved(delta: float) -> None:
    panel = shop_panel(3, target_kind="count")
    test = lift(metric="kpi", value=np.sign(delta) * 12.0, se=3.0, delta_spend=delta, inflation=2.0, geos=("city1",))
    kpi, worth = (panel.array(name)[1, 10:14] for name in ("kpi", "unit_value"))
    each = (kpi * worth).sum() / kpi.sum()
    assert measured(test, panel) == pytest.approx((12.0 * each / 40.0, 6.0 * each / 40.0))


def test_the_whole_spend_is_that_of_the_cells() -> None:
    panel = shop_panel()
    spent = panel.array("spend")[0, 10:14, 0].sum()
    assert measured(lift(metric="kpi", value=100.0, se=10.0), panel) == pytest.approx((100.0 / spent, 10.0 / spent))


@pytest.mark.parametrize(("roas", "se"), [(1.5, 0.4), (0.2, 1.0), (-0.5, 0.6), (4.0, 0.01), (30.0, 2.0), (1.0, 50.0)])
def test_a_lognormal_prior_keeps_the_moments_of_the_logarithm(roas: float, se: float) -> None:
    mu, sigma = PRIOR.location_scale()

    def density(x: Any) -> Any:
        return np.exp(-0.5 * ((x - mu) / sigma) ** 2 - 0.5 * ((roas - np.exp(x)) / se) ** 2)

    wide = np.linspace(mu - 9 * sigma, mu + 9 * sigma, 40_001)
    peak = wide[density(wide).argmax()]
    near = {"points": [peak, peak - 0.02, peak + 0.02], "limit": 2000, "epsabs": 0}
    low, high = mu - 9 * sigma, mu + 9 * sigma
    total, mean, square = (integrate.quad(lambda x, k=k: x**k * density(x), low, high, **near)[0] for k in range(3))
    found = updated(PRIOR, Pooled(roas, se, None))
    assert (found.kind, found.family) == ("roas", "lognormal")
    assert found.mu == pytest.approx(mean / total, rel=1e-5, abs=1e-6)
    assert found.sigma == pytest.approx(np.sqrt(square / total - (mean / total) ** 2), rel=1e-4)


def test_a_normal_prior_is_updated_exactly() -> None:
    found = updated(EffectPrior(kind="roas", family="normal", mean=1.0, sd=0.5), Pooled(2.0, 0.25, None))
    assert (found.mean, found.sd) == pytest.approx((1.8, np.sqrt(1 / 20)))


def test_a_test_without_information_leaves_the_prior() -> None:
    found = updated(PRIOR, Pooled(3.0, 1e6, None))
    assert found.location_scale() == pytest.approx(PRIOR.location_scale(), rel=1e-6)


def test_a_resolved_specification_has_the_updated_prior_and_no_tests() -> None:
    panel, tests = shop_panel(), (lift(), lift(test="b", value=2.0), lift(channel="radio", value=0.5))
    spec = as_prior(*tests)
    resolved = resolve(spec, panel)
    assert resolved.lift_tests == ()
    assert resolved.channels["tv"].priors == updated(spec.channels["tv"].priors, pooled(tests[:2], panel))
    assert resolved.channels["radio"].priors == updated(spec.channels["radio"].priors, pooled(tests[2:], panel))
    assert resolved.channels["search"] == spec.channels["search"]
    assert resolved.constants is not None and resolved.constants.kind[0] == "roas"
    assert resolve(resolved, panel) == resolved


def test_as_a_likelihood_the_tests_stay_and_the_prior_too() -> None:
    spec = as_prior(lift()).model_copy(update={"lift_tests_as": "likelihood"})
    resolved = resolve(spec, shop_panel())
    assert resolved.lift_tests == spec.lift_tests and resolved.channels == spec.channels


@pytest.mark.parametrize(("train", "known"), [(13, False), (14, True)])
def test_a_fold_does_not_know_of_tests_that_ended_after_its_cut(train: int, known: bool) -> None:
    panel = shop_panel()
    spec = as_prior(lift())
    resolved = informed(spec, panel, panel.window & (np.arange(64) < train))
    assert (resolved.channels["tv"].priors != spec.channels["tv"].priors) is known
    assert resolved.lift_tests == ()


def test_a_prior_of_another_kind_cannot_be_updated() -> None:
    spec = as_prior(lift(), priors={"kind": "contribution", "family": "lognormal", "median": 0.2, "q90": 0.5})
    with pytest.raises(ValueError, match="that of tv is of kind contribution"):
        resolve(spec, shop_panel())
