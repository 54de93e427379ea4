from __future__ import annotations

import numpy as np
import pytest

from mmx.infer.nutpie_nuts import through_jax
from mmx.mmm import kernel
from mmx.mmm.structure import Structure
from mmx.mmm.target import build

from ..finite import assert_gradient
from .cases import Case, every, plain

CASES = {"every-national": (every, 1), "every-geo": (every, 3), "plain-national": (plain, 1), "plain-geo": (plain, 3)}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    make, geos = request.param
    return make(geos)


def test_the_kernel_is_the_jax_density(case: Case) -> None:
    arrays = kernel.arrays_of(case.structure, case.inputs)
    for q in case.points(10, seed=3):
        value, gradient = kernel.value_and_gradient(q, arrays)
        expected, slope = case.density(q)
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=1e-12, atol=1e-12 * np.abs(slope).max())


def test_the_kernels_gradient_is_the_finite_difference(case: Case) -> None:
    arrays = kernel.arrays_of(case.structure, case.inputs)
    q = case.points(1, seed=4)[0]
    gradient = kernel.value_and_gradient(q, arrays)[1]
    assert_gradient(gradient, lambda at: kernel.value_and_gradient(at, arrays)[0], q)


def test_every_family_has_an_entry(case: Case) -> None:
    assert kernel.supports(case.structure)


def test_a_family_without_an_entry_goes_through_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    case = plain(1)
    structure: Structure = case.structure
    media = [str(m) for m in range(structure.media)]
    q = case.points(1)[0]
    monkeypatch.setattr(kernel, "SATURATION_CODES", {})
    target = build(structure, case.inputs, media)
    assert target.compiled is None
    assert through_jax(target)(q)[0] == pytest.approx(case.density(q)[0], rel=1e-12)


def test_extreme_points_are_finite_or_rejected(case: Case) -> None:
    """Far out the density may overflow to minus infinity or NaN, which a sampler rejects, but it never raises."""
    arrays = kernel.arrays_of(case.structure, case.inputs)
    for scale in (5.0, 30.0):
        for q in case.points(3, seed=6) * scale:
            value, _ = kernel.value_and_gradient(q, arrays)
            assert not value > 1e12
