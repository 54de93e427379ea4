"""What decisions see of a fit: the response of a future plan and the reference window it scales."""

from __future__ import annotations

import numpy as np
import pytest

from mmx.mmm.fit import Fit
from mmx.mmm.posterior import Posterior

from .. import oracle


@pytest.fixture(params=["national_fit", "geo_fit"])
def posterior(request: pytest.FixtureRequest) -> Posterior:
    made: Fit = request.getfixturevalue(request.param)
    return made.posterior


def by_loops(posterior: Posterior, spend: np.ndarray, draw: int, rows: np.ndarray) -> np.ndarray:
    """KPI money of a plan in one draw, (channel,): history, then the plan, then nothing, counted from the plan on.

    ``rows`` is the reference window, which says how much exposure a unit of money buys and what the KPI is worth.
    """
    panel, spec, channels = posterior.panel, posterior.spec, len(posterior.panel.names("channel"))
    past, horizon = oracle.exposure(spec, panel)[: posterior.stop], len(spend)
    paid = panel.array("spend").swapaxes(0, 1)[rows]
    size = np.array(spec.constants.geo_scale)
    bought, plan = past[rows][..., :channels], np.zeros((horizon, *past.shape[1:]))
    for t in range(horizon):
        for g in range(past.shape[1]):
            for c in range(channels):
                cells = (t, g, c) if paid[t, g, c] > 0 else (..., c)
                heads = (bought * size[:, None])[cells].sum() / paid[cells].sum()
                plan[t, g, c] = spend[t, g, c] * heads / size[g]
    x = np.concatenate([past, plan, np.zeros((posterior.tail, *past.shape[1:]))])
    values = {name: value[draw] for name, value in posterior.params.items()}
    worth = oracle.money(spec, panel)[rows].mean(axis=0)
    acting = oracle.saturated(spec, values, x)[posterior.stop :]
    return np.einsum("tgm,gm,g->m", acting, posterior.beta[draw], worth)[:channels]


@pytest.mark.parametrize("kind", ["last", "last_year"])
def test_the_response_is_the_brute_force(posterior: Posterior, kind: str) -> None:
    horizon = 4
    stop = posterior.stop if kind == "last" else posterior.stop - 52 + horizon
    rows = np.arange(stop - horizon, stop)
    reference = posterior.reference(horizon, kind)
    rng = np.random.default_rng(0)
    spend = np.where(rng.random(reference.spend.shape) < 0.3, 0.0, rng.gamma(2.0, 60.0, reference.spend.shape))
    draws = np.array([0, 37, 99])
    found = posterior.response(spend, draws, reference=reference)
    assert found.shape == (3, 4)
    for i, draw in enumerate(draws):
        np.testing.assert_allclose(found[i], by_loops(posterior, spend, int(draw), rows), rtol=1e-9)


def test_carry_in_and_tail_are_counted(posterior: Posterior) -> None:
    shape = posterior.reference(4).spend.shape
    nothing = posterior.response(np.zeros(shape))
    assert (nothing > 0).all()
    late = np.zeros(shape)
    late[-1] = 100.0
    assert (posterior.response(late) > nothing).all()
    early = np.zeros(shape)
    early[0] = 100.0
    assert not np.allclose(posterior.response(early), posterior.response(late), rtol=1e-3)


def test_the_reference_window_is_the_last_periods(posterior: Posterior) -> None:
    reference = posterior.reference(5)
    spend = posterior.panel.array("spend").swapaxes(0, 1)
    np.testing.assert_array_equal(reference.spend, spend[posterior.stop - 5 : posterior.stop])
    assert reference.kind == "last"
    last = posterior.panel.dates[posterior.stop - 1]
    assert list(reference.starts) == [str(last + np.timedelta64(7 * (i + 1), "D")) for i in range(5)]


def test_last_year_takes_the_weeks_of_the_horizon_a_year_earlier(posterior: Posterior) -> None:
    reference = posterior.reference(5, "last_year")
    first = posterior.stop - 52
    np.testing.assert_array_equal(reference.spend, posterior.panel.array("spend").swapaxes(0, 1)[first : first + 5])
    coming = np.array(reference.starts, dtype="datetime64[D]")
    days = (coming - posterior.panel.dates[first : first + 5]).astype(int)
    np.testing.assert_array_equal(days, 364)


@pytest.mark.parametrize(("horizon", "kind"), [(99, "last"), (53, "last_year"), (10**6, "last")])
def test_data_that_are_too_short_are_refused(posterior: Posterior, horizon: int, kind: str) -> None:
    with pytest.raises(ValueError, match=f"a horizon of {horizon} periods"):
        posterior.reference(horizon, kind)


def test_the_exposure_that_money_buys_is_the_reference_windows(posterior: Posterior) -> None:
    reference = posterior.reference(6)
    bought = reference.spend * reference.exposure_per_money
    np.testing.assert_allclose(bought, posterior.exposure[posterior.stop - 6 :, :, :4], rtol=1e-12)
    assert (reference.exposure_per_money > 0).all()


def test_draws_are_chosen_by_number(posterior: Posterior) -> None:
    spend = posterior.reference(4).spend
    every = posterior.response(spend)
    np.testing.assert_allclose(posterior.response(spend, np.array([3, 50])), every[[3, 50]], rtol=1e-12)
