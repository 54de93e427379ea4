from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import integrate, stats

from mmx.mmm import collapse

from .. import oracle
from ..finite import assert_gradient
from .cases import COMBINATIONS, LIKELIHOODS, OWN, Case, every, grouped, lifted, other, plain, rich, varying

CASES = {"every-national": (every, 1), "every-geo": (every, 3), "plain-national": (plain, 1), "plain-geo": (plain, 3)}
CASES |= {"grouped": (lambda _: grouped(), 4), "varying-national": (varying, 1), "varying-geo": (varying, 3)}
CASES |= {"rich-national": (rich, 1), "rich-geo": (rich, 3)}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    build, geos = request.param
    return build(geos)


@pytest.mark.parametrize("geos", [1, 3])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_is_the_dense_density(likelihood: str, geos: int) -> None:
    case = other(likelihood, geos)
    expected = [case.oracle.log_density(q) for q in case.points(6)]
    assert np.isfinite(expected).sum() > 2  # Additive counts may be expected below zero.
    for q, value in zip(case.points(6), expected, strict=True):
        assert case.density(q)[0] == pytest.approx(value, rel=1e-9, abs=1e-9)
    q = case.points(6)[
        int(np.argmax(np.isfinite(expected)))
    ]  # A marginal ROAS is a difference of 1 %: its coefficient has two digits less.
    assert_gradient(case.density(q)[1], lambda at: case.density(at)[0], q, rounding=1e-14)


@pytest.mark.parametrize(("geos", "likelihood"), [(1, "normal"), (3, "normal"), (3, "lognormal")])
def test_experiments_are_in_the_dense_density(geos: int, likelihood: str) -> None:
    case = lifted(geos, likelihood)
    assert case.inputs["lift_used"].tolist() == [1, 1, 0]
    for q in case.points(3):
        assert case.density(q)[0] == pytest.approx(case.oracle.log_density(q), rel=1e-9, abs=1e-9)
    q = case.points(1, seed=5)[0]
    assert_gradient(case.density(q)[1], lambda at: case.density(at)[0], q)


@pytest.mark.parametrize("geos", [1, 3])
def test_the_cases_hold_every_combination(geos: int) -> None:
    structure = every(geos).structure
    paid = slice(0, structure.channels)
    families = [family for family, _ in structure.adstock[paid]]
    first = [order == "adstock" for order in structure.order[paid]]
    assert set(zip(families, structure.saturation[paid], structure.kind[paid], first, strict=True)) == set(COMBINATIONS)
    assert set(product(families, structure.saturation[paid])) == set(zip(families, structure.saturation[paid], strict=True))
    assert set(structure.kind[paid]) == set(OWN) and set(first) == {True, False}


def test_value_is_the_dense_density(case: Case) -> None:
    assert case.structure.other
    for q in case.points(3):
        expected = case.oracle.log_density(q)
        assert case.density(q)[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_gradient_is_the_finite_difference(case: Case) -> None:
    q = case.points(1, seed=5)[0]
    assert_gradient(case.density(q)[1], lambda at: case.density(at)[0], q)


def test_matern_spectrum_is_the_kernels_transform() -> None:
    sd, length = 0.7, 0.4
    sds = np.asarray(collapse.drift_sd(np.linspace(0.0, 40.0, 9), np.float64(sd), np.float64(length)))
    np.testing.assert_allclose(sds**2, oracle.matern_spectrum(np.linspace(0.0, 40.0, 9), sd, length), rtol=1e-12)
    for lag in (0.1, 0.3, 1.0):
        transform, error = integrate.quad(oracle.matern_spectrum, 0, np.inf, args=(sd, length), weight="cos", wvar=lag)
        scaled = np.sqrt(5) * lag / length
        assert transform / np.pi == pytest.approx(sd**2 * (1 + scaled + scaled**2 / 3) * np.exp(-scaled), abs=2 * error + 1e-9)


@pytest.mark.parametrize("family", ["lognormal", "normal"])
def test_a_prior_by_median_and_quantile_has_them(family: str) -> None:
    from mmx.spec import Prior

    location, scale = Prior(family=family, median=1.2, q90=3.9).location_scale()
    law = stats.lognorm(scale, scale=np.exp(location)) if family == "lognormal" else stats.norm(location, scale)
    np.testing.assert_allclose(law.ppf([0.5, 0.9]), [1.2, 3.9], rtol=1e-12)
