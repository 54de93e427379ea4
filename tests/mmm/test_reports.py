"""Reported quantities under every likelihood and structure."""

from __future__ import annotations

import numpy as np
import pytest

from mmx.mmm import predict
from mmx.mmm.carryover import carryover
from mmx.mmm.decomposition import decompose
from mmx.mmm.forecast import forecast
from mmx.mmm.posterior import Posterior
from mmx.mmm.quantities import effects, tables, treatment_totals, window_spend

from .. import oracle
from .cases import LIKELIHOODS, every
from .draws import made_of, posterior_of

NAMES = ("plain", "rich", "varying", "lifted", *LIKELIHOODS)


def effect_draws(posterior: Posterior) -> dict[int, np.ndarray]:
    """What each medium's prior speaks of, by the reported quantities, where they report it."""
    found, kinds = effects(posterior), posterior.structure.kind
    spend, panel = window_spend(posterior), posterior.panel
    money = (panel.array("kpi") * panel.array("unit_value"))[:, posterior.window].sum()
    ways = {
        "roas": lambda m: found.inside[:, m] / spend[m],
        "mroas": lambda m: found.step[:, m] / (0.01 * spend[m]),
        "contribution": lambda m: found.inside[:, m] / money,
    }
    return {m: ways[kind](m) for m, kind in enumerate(kinds) if kind in ways}


@pytest.mark.parametrize("geos", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_the_reported_effect_is_the_sampled_one(name: str, geos: int) -> None:
    posterior = posterior_of(name, geos)
    found = effect_draws(posterior)
    own = [m for m in range(posterior.structure.media) if m not in posterior.structure.shared]
    assert found or set(posterior.structure.kind) == {"coefficient"}
    for m, draws in found.items():
        # A marginal ROAS is a difference of 1 % of float32 coefficients' effects.
        np.testing.assert_allclose(draws, posterior.params["effect"][:, own.index(m)], rtol=1e-4)


@pytest.mark.parametrize("geos", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_the_decomposition_adds_up_to_the_expectation(name: str, geos: int) -> None:
    posterior = posterior_of(name, geos)
    found = decompose(posterior)
    worth = posterior.panel.array("unit_value")[:, posterior.window]
    whole = np.zeros(found.carry_in.shape)
    for g, level in enumerate(predict.predictive_cells(posterior)):
        whole += worth[g, :, None] * predict.expected(posterior, level.T, g)
    total = found.media.sum(axis=0) + found.treatments.sum(axis=0) + found.carry_in + sum(found.baseline.values())
    np.testing.assert_allclose(total, whole, rtol=1e-9)


def test_multiplicative_contributions_are_the_counterfactual_of_each_medium() -> None:
    posterior = posterior_of("lognormal", 3)
    inside, panel, spec = effects(posterior).inside, posterior.panel, posterior.spec
    kpi = (panel.array("kpi") * panel.array("unit_value"))[:, posterior.window].T
    x = oracle.exposure(spec, panel)[: posterior.stop]
    without = np.where(posterior.window[: posterior.stop, None, None], 0.0, x)
    for s in range(posterior.samples):
        values = {name: value[s] for name, value in posterior.params.items()}
        rows = posterior.window[: posterior.stop]
        lost = (oracle.saturated(spec, values, x) - oracle.saturated(spec, values, without))[rows] * posterior.beta[s]
        np.testing.assert_allclose(inside[s], (kpi[..., None] * (1 - np.exp(-lost))).sum(axis=(0, 1)), rtol=1e-9)
    found = decompose(posterior)
    treated = treatment_totals(posterior, found)
    assert treated.shape == (1, posterior.samples)
    assert not np.allclose(found.media.sum(axis=1).T, inside, rtol=1e-3)  # Shares in a sum are no counterfactuals.


@pytest.mark.parametrize("geos", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_every_table_is_made(name: str, geos: int) -> None:
    import pandas as pd

    posterior = posterior_of(name, geos)
    made = tables(posterior, effects(posterior), pd.DataFrame(), seed=1)
    assert made.decomposition == ("log-mean Divisia" if posterior.structure.multiplicative else "counterfactual")
    assert np.isfinite(made.fitted[["mean", "q05", "q95"]]).all(axis=None) and (made.fitted["q05"] < made.fitted["q95"]).all()
    assert 0 <= made.fit["negative_baseline"] <= 1 and 0 <= made.fit["negative_baseline_periods"] <= 1
    assert made.forecast is not None
    pd.testing.assert_frame_equal(made.forecast, forecast(posterior, seed=1))
    if posterior.structure.likelihood == "negative_binomial":
        assert made.fitted["q05"].min() >= 0
    share = made.channels.set_index("channel")["carryover_share_mean"]
    assert share.drop(["price"]).between(0, 1).all()


@pytest.mark.parametrize("geos", [1, 3])
def test_half_life_and_carryover_are_those_of_the_weights(geos: int) -> None:
    case = every(geos)
    posterior = made_of(case, case.points(3, seed=2))
    half_life, share = carryover(posterior)
    left = {name: posterior.params[name] for name in case.structure.shape_places}
    places = {name: [m for m, column in where if column < 2] for name, where in case.structure.shape_places.items()}
    for m, (family, window) in enumerate(case.structure.adstock):
        for s in range(3):
            own = {name: left[name][s, places[name].index(m)] for name in oracle.SHAPES[family]}
            weight = oracle.lag_weights(family, posterior.tail + 1, window, own)
            reached = np.cumsum(weight) / weight.sum()
            assert share[s, m] == pytest.approx(1 - reached[0], abs=1e-9)
            lag = int(np.argmax(reached >= 0.5))
            into = 0.5 - (reached[lag - 1] if lag else 0.0)
            assert half_life[s, m] == pytest.approx(lag + into / (weight[lag] / weight.sum()), rel=1e-6)
