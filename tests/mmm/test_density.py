from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from mmx.mmm import collapse

from ..finite import assert_gradient
from . import oracle
from .cases import ROTATIONS, Case, rotated


@pytest.fixture(params=[(r, g) for r in ROTATIONS for g in (1, 3)], ids=lambda p: f"rotation{p[0]}-geos{p[1]}")
def case(request: pytest.FixtureRequest) -> Case:
    return rotated(*request.param)


def test_the_cases_hold_every_combination() -> None:
    for geos in (1, 3):
        found = set()
        for rotation in ROTATIONS:
            structure = rotated(rotation, geos).structure
            found |= {(a, s, k) for (a, _), s, k in zip(structure.adstock, structure.saturation, structure.kind, strict=True)}
        kinds = ("roas", "total", "coefficient", "contribution")
        expected = {(a, s, k) for a in ("geometric", "delayed") for s in ("hill", "logistic") for k in kinds}
        assert found == expected


def test_value_is_the_dense_density(case: Case) -> None:
    assert case.structure.carry_in
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
