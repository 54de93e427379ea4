from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
from scipy import stats

from mmx.jax_setup import jax
from mmx.mmm import density, log_likelihoods, predict
from mmx.mmm.parameters import free_of

from .cases import LIKELIHOODS
from .draws import case_of, posterior_of

COLLAPSED = ("plain", "rich", "lognormal", "noise by geo", "varying", "autocorrelated lognormal by geo", "autocorrelated")


@pytest.mark.parametrize(("name", "geos"), [*zip(COLLAPSED, cycle([1, 3])), ("plain", 3)])
def test_one_step_densities_add_up_to_the_collapsed_one(name: str, geos: int) -> None:
    posterior, case = posterior_of(name, geos), case_of(name, geos)
    found = log_likelihoods.one_step(posterior)
    assert found.shape == (posterior.samples, posterior.window.sum())
    points = free_of(case.structure, case.inputs, posterior.params)
    kpi = posterior.panel.array("kpi")[:, posterior.window]
    jacobian = np.log(kpi).sum() if case.structure.multiplicative else kpi.shape[1] * np.log(posterior.size).sum()

    @jax.jit
    def collapsed(q: jax.Array, inputs: dict) -> jax.Array:
        params = density.constrain(case.structure, q, inputs)
        actual, beta = density.media_curves(case.structure, params, inputs)
        tests = density.lift_likelihood(case.structure, actual, beta, params, inputs)
        return density.log_likelihood(case.structure, params, inputs) - tests

    for s, q in enumerate(points):
        whole = float(collapsed(q, case.inputs))
        assert found[s].sum() == pytest.approx(whole - jacobian, rel=1e-5, abs=1e-3)  # beta is stored as float32


def test_some_draws_are_the_same_draws() -> None:
    posterior = posterior_of("rich", 3)
    every = log_likelihoods.one_step(posterior)
    np.testing.assert_allclose(log_likelihoods.one_step(posterior, np.array([4, 1])), every[[4, 1]], rtol=1e-12)


@pytest.mark.parametrize("name", ["student_t", "counts", "additive counts"])
def test_one_step_needs_a_baseline_that_is_integrated_out(name: str) -> None:
    with pytest.raises(ValueError, match="samples the baseline"):
        log_likelihoods.one_step(posterior_of(name, 1))


@pytest.mark.parametrize("geos", [1, 3])
@pytest.mark.parametrize("name", ["plain", *LIKELIHOODS])
def test_pointwise_is_the_law_of_each_cell(name: str, geos: int) -> None:
    posterior = posterior_of(name, geos)
    rows = np.flatnonzero(posterior.window)
    kpi, root = posterior.panel.array("kpi")[:, rows], np.sqrt(posterior.weights[rows])
    found, params = log_likelihoods.pointwise(posterior), posterior.params
    for g, level in enumerate(predict.predictive_cells(posterior)):
        for s in range(posterior.samples):
            size, sd = posterior.size[g], predict.noise(posterior, g)[s]
            rho = params["autocorrelation"][s, 0] if "autocorrelation" in params else 0.0
            if posterior.structure.likelihood == "negative_binomial":
                mean = size * (np.exp(level[s]) if posterior.structure.multiplicative else level[s])
                expected = stats.nbinom(sd**-2, sd**-2 / (sd**-2 + mean)).logpmf(kpi[g])
            elif posterior.structure.likelihood == "student_t":
                expected = stats.t(params["degrees"][s, 0], size * level[s], size * sd / root).logpdf(kpi[g])
            else:
                logs = posterior.structure.multiplicative
                error = (np.log(kpi[g] / size) if logs else kpi[g] / size) - level[s]
                mean = np.append(0.0, rho * error[:-1])
                scale = np.append(1.0, np.full(len(rows) - 1, np.sqrt(1 - rho**2))) * sd / root
                expected = stats.norm(mean, scale).logpdf(error) - (np.log(kpi[g]) if logs else np.log(size))
            np.testing.assert_allclose(found[s, :, g], expected, rtol=1e-9, atol=1e-9)
