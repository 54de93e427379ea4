"""NumPyro's and PyMC's statements of the model are the density, at random points of the unconstrained space."""

from __future__ import annotations

import numpy as np
import pytest

from mmx.infer.target import Target, from_sites, to_sites
from mmx.jax_setup import jax
from mmx.mmm.target import build, coordinate_names

from .cases import Case, every, plain, rich


@pytest.fixture(params=[(every, 1), (plain, 3), (rich, 3)], ids=["national", "geo", "rich"], scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    make, geos = request.param
    return make(geos)


def target_of(case: Case) -> Target:
    return build(case.structure, case.inputs, names_of(case))


def names_of(case: Case) -> tuple[str, ...]:
    return case.oracle.panel.names("channel") + case.oracle.panel.names("organic")


def test_numpyro_states_the_same_density(case: Case) -> None:
    from numpyro.infer.util import potential_energy

    target = target_of(case)
    energy = jax.jit(lambda values: potential_energy(target.numpyro_model, (case.inputs,), {}, values))
    for q in case.points(4, seed=3):
        found = -float(energy({site.name: q[site.place] for site in target.sites}))
        assert found == pytest.approx(case.density(q)[0], rel=1e-8)


def test_pymc_states_the_same_density(case: Case) -> None:
    target = target_of(case)
    model = target.pymc_model()
    suffix = {"identity": "", "log": "_log__", "logit": "_logodds__"}
    names = {f"{site.name}{suffix[site.transform]}": site.place for site in target.sites}
    assert {v.name for v in model.value_vars} == set(names)
    compiled = model.compile_logp(mode="JAX")
    for q in case.points(4, seed=3):
        found = float(compiled({name: q[place] for name, place in names.items()}))
        assert found == pytest.approx(case.density(q)[0], rel=1e-8)


def test_sites_lay_out_the_whole_vector(case: Case) -> None:
    target = target_of(case)
    q = case.points(3, seed=4)
    np.testing.assert_allclose(from_sites(target.sites, to_sites(target.sites, q)), q, rtol=1e-12, atol=1e-13)
    covered = np.concatenate([np.arange(target.dim)[site.place] for site in target.sites])
    np.testing.assert_array_equal(covered, np.arange(target.dim))
    assert len(set(target.names)) == target.dim == len(coordinate_names(case.structure, names_of(case)))
