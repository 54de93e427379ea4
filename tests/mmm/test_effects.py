"""The prior speaks of the effect itself: what counterfactuals give back is the sampled number, at any point."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmx.jax_setup import jax
from mmx.mmm import density
from mmx.mmm.inputs import zero_sum_bases
from mmx.response.registry import ADSTOCKS

from .. import oracle
from .cases import Case, every


@pytest.fixture(scope="module", params=[1, 3], ids=["national", "geo"])
def solved(request: pytest.FixtureRequest) -> tuple[Case, list[tuple[Any, ...]]]:
    """Parameters, coefficients (geo, media), KPI money (media,), and KPI money of 1 % more exposure, at some points."""
    case = every(request.param)
    structure, spec, panel, train = case.structure, case.oracle.spec, case.oracle.panel, case.oracle.train

    @jax.jit
    def solve(q: jax.Array) -> tuple[dict[str, jax.Array], jax.Array]:
        params = density.constrain(structure, q, case.inputs)
        return params, density.media_effect(structure, params, case.inputs)[1]

    found = []
    for q in case.points(3, seed=8):
        params, beta = jax.tree.map(np.asarray, solve(q))
        x = oracle.exposure(spec, panel)
        zeroed = np.where(train[:, None, None], 0.0, x)
        acting = oracle.saturated(spec, params, x) - oracle.saturated(spec, params, zeroed)
        worth = oracle.money(spec, panel)[train]
        money = np.einsum("tgm,gm,tg->m", acting[train], beta, worth)
        more = oracle.saturated(spec, params, np.where(train[:, None, None], 1.01 * x, x)) - oracle.saturated(spec, params, x)
        found.append((params, beta, money, np.einsum("tgm,gm,tg->m", more[train], beta, worth)))
    return case, found


def of_kind(case: Case, kind: str) -> np.ndarray:
    return np.flatnonzero([k == kind for k in case.structure.kind])


def own_effect(case: Case, params: dict[str, np.ndarray], media: np.ndarray) -> np.ndarray:
    """Sampled effects of media that have one of their own."""
    block = next(b for b in case.structure.blocks if b.name == "effect")
    return params["effect"][[block.media.index(m) for m in media]]


def test_contribution_over_spend_is_the_sampled_roas(solved: tuple) -> None:
    case, points = solved
    media = of_kind(case, "roas")
    spend = case.oracle.panel.array("spend")[:, case.oracle.train].sum(axis=(0, 1))
    assert len(media) > len(ADSTOCKS)
    for params, _, money, _ in points:
        np.testing.assert_allclose(money[media] / spend[media], own_effect(case, params, media), rtol=1e-9)


def test_the_next_percent_over_its_spend_is_the_sampled_marginal_roas(solved: tuple) -> None:
    case, points = solved
    media = of_kind(case, "mroas")
    spend = case.oracle.panel.array("spend")[:, case.oracle.train].sum(axis=(0, 1))
    assert len(media) > len(ADSTOCKS)
    for params, _, _, more in points:
        np.testing.assert_allclose(more[media] / (0.01 * spend[media]), own_effect(case, params, media), rtol=1e-9)


def test_contribution_over_the_kpi_is_the_sampled_share(solved: tuple) -> None:
    case, points = solved
    panel, own, together = case.oracle.panel, of_kind(case, "contribution"), of_kind(case, "total")
    kpi = (panel.array("kpi") * panel.array("unit_value"))[:, case.oracle.train].sum()
    assert min(len(own), len(together)) > len(ADSTOCKS)
    for params, _, money, _ in points:
        np.testing.assert_allclose(money[own] / kpi, own_effect(case, params, own), rtol=1e-9)
        assert money[together].sum() / kpi == pytest.approx(params["total"][0], rel=1e-9)
        assert np.ptp(np.log(money[together])) > 0.01


def test_a_coefficient_is_the_effect_at_full_saturation(solved: tuple) -> None:
    case, points = solved
    media = of_kind(case, "coefficient")
    for params, beta, _, _ in points:
        factors = beta[:, media] / own_effect(case, params, media)
        if case.structure.geos == 1:
            np.testing.assert_array_equal(factors, 1.0)
        spend = case.oracle.panel.array("spend")[:, case.oracle.train].sum(axis=1)[:, media]
        np.testing.assert_allclose((spend * np.log(factors)).sum(axis=0) / spend.sum(axis=0), 0.0, atol=1e-13)


@pytest.mark.parametrize("geos", [2, 3, 8])
def test_zero_sum_bases_are_orthonormal_and_sum_to_zero(geos: int) -> None:
    size = np.random.default_rng(geos).gamma(1.0, 1.0, (geos, 4))
    size[0, 1] = 0.0
    size[1:, 2] = 0.0
    size[:, 3] = 0.0
    bases = zero_sum_bases(size)
    assert bases.shape == (4, geos, geos - 1)
    for m in range(4):
        np.testing.assert_allclose(bases[m].T @ bases[m], np.eye(geos - 1), atol=1e-14)
        weight = size[:, m] if m < 3 else np.ones(geos)
        np.testing.assert_allclose(weight @ bases[m], 0.0, atol=1e-13)


def test_a_zero_sum_basis_of_one_geo_is_empty() -> None:
    assert zero_sum_bases(np.ones((1, 2))).shape == (2, 1, 0)
