"""Two ways to one posterior: coefficients drawn back after collapsed sampling, and NUTS over everything together.

Compared in Monte Carlo standard errors, with enough effective draws: media parameters and scales by mean and quantiles,
coefficients by mean and spread, and the products of every ROAS with every coefficient, hence their correlations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from arviz_stats.base.array import array_stats

from mmx.infer.sampling import sample
from mmx.jax_setup import jax, jnp
from mmx.mmm.parameters import parameters_of
from mmx.mmm.target import build

from ..panels import shop_config
from . import explicit
from .cases import Case
from .test_exact import small

pytestmark = pytest.mark.slow  # Minutes: the default tests hold the identity behind it, in tests/mmm/test_exact.py.

SETTINGS = shop_config().spec.sampler.model_copy(
    update={"chains": 4, "tune": 400, "draws": 1000, "target_accept": 0.9, "max_depth": 10}
)
QUANTILES = (0.05, 0.5, 0.95)
MIN_ESS, LIMIT = 400, 4.0
Named = dict[str, np.ndarray]


def parameters(case: Case, q: np.ndarray, *, signed: bool) -> Named:
    """Sampled parameters in their own units, (chain, draw) each; a basis of geo deviations is not compared.

    Geo standard deviations are sampled with a sign by the collapsed density, and by their logarithm in the explicit one.
    """
    found = {}
    for block in case.structure.blocks:
        part = q[..., case.structure.slices[block.name]]
        if block.kind == "beta":
            part = 1 / (1 + np.exp(-part))
        elif block.name == "geo_sd" and signed:
            part = part * case.inputs["prior"]["geo_sd"][1]
        elif block.kind == "half_normal" or block.name == "geo_sd":
            part = np.exp(part)
        found |= {f"{block.name}[{i}]": part[..., i] for i in range(block.size) if block.name != "geo_z"}
    return found


def drift_of(case: Case, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and length of the drift along all draws; any number where there is none."""
    if not case.structure.drift_terms:
        return np.ones(q.shape[0] * q.shape[1]), np.ones(q.shape[0] * q.shape[1])
    location, sigma = case.oracle.spec.model.baseline.drift_length.location_scale()
    sd, length = (q[..., case.structure.slices[name]].ravel() for name in ("drift_sd", "drift_length"))
    return np.exp(sd), np.exp(location + sigma * length)


def together(log_density: Callable[[jax.Array], jax.Array], dim: int, *, draws: int, seed: int) -> np.ndarray:
    """NumPyro's NUTS over a vector, (chain, draw, dim); small steps, as a scale and its coefficients make a funnel."""
    from numpyro.infer import MCMC, NUTS

    kernel = NUTS(potential_fn=lambda vector: -log_density(vector), target_accept_prob=0.95)
    mcmc = MCMC(kernel, num_warmup=500, num_samples=draws, num_chains=4, chain_method="sequential", progress_bar=False)
    points = np.random.default_rng(seed).uniform(-1, 1, (4, dim))
    mcmc.run(jax.random.PRNGKey(seed), init_params=jnp.asarray(points))
    return np.asarray(mcmc.get_samples(group_by_chain=True))


@pytest.fixture(scope="module", params=[1, 3], ids=["national", "geo"])
def both(request: pytest.FixtureRequest) -> tuple[dict[str, Named], dict[str, Named]]:
    """Parameters and coefficients of either way."""
    case = small(request.param)
    names = [str(m) for m in range(case.structure.media)]
    target = build(case.structure, case.inputs, names)
    settings = SETTINGS.model_copy(update={"draws": 1000 * (1 + (request.param > 1))})
    collapsed = sample(target, settings, seed=31).q
    _, _, gamma, geo = parameters_of(case.structure, case.inputs, collapsed, seed=32)
    back = explicit.written_out(case, gamma, geo).reshape(*collapsed.shape[:2], -1)

    # Coordinates in which NUTS finds its way: the coefficients' distance from what media leave them, by the gain and the scale
    # of one point. The media's part is a shear, whose determinant is one; without it an effect's right tail is not reached.
    q = collapsed.reshape(-1, case.structure.dim).mean(axis=0)
    scales = explicit.scales_of(case, case.oracle.values(q))
    gain, covariance = explicit.gain_of(case, q)
    gain, factor = gain / scales[:, None], np.linalg.cholesky(covariance) / scales[:, None]
    dim, density, residual = explicit.log_density_in_jax(case)

    def written_z(vector: jax.Array) -> jax.Array:
        return gain @ residual(vector[: case.structure.dim]) + factor @ vector[case.structure.dim :]

    def shifted(vector: jax.Array) -> jax.Array:
        return density(jnp.concatenate([vector[: case.structure.dim], written_z(vector)]), {})

    draws = together(shifted, dim, draws=2 * settings.draws, seed=33)
    q, z = draws[..., : case.structure.dim], np.asarray(jax.jit(jax.vmap(jax.vmap(written_z)))(draws))
    written = z * explicit.scales_along(case, *drift_of(case, q)).reshape(z.shape)
    return tuple(
        {
            "parameters": parameters(case, vectors, signed=vectors is collapsed),
            "coefficients": {f"gamma[{j}]": values[..., j] for j in range(values.shape[-1])},
        }
        for vectors, values in ((collapsed, back), (q, written))
    )


def differences(one: Named, two: Named, **how: object) -> Named:
    """Difference of an estimate over its standard errors combined."""
    found = {}
    for name in one:
        estimates, errors = [], []
        for values in (one[name], two[name]):
            axes = {"chain_axis": 0, "draw_axis": 1}
            assert array_stats.ess(values, method="bulk", **axes) >= MIN_ESS, name
            errors.append(float(array_stats.mcse(values, **axes, **how)))
            estimates.append(np.quantile(values, how["prob"]) if "prob" in how else values.mean())
        found[name] = abs(estimates[0] - estimates[1]) / np.hypot(*errors)
    return found


def assert_small(found: Named) -> None:
    assert max(found.values()) < LIMIT, sorted(found.items(), key=lambda v: -v[1])[:5]


def test_media_parameters_and_scales_agree(both: tuple) -> None:
    one, two = (side["parameters"] for side in both)
    assert len(one) > 12
    assert_small(differences(one, two, method="mean"))
    for level in QUANTILES:
        assert_small(differences(one, two, method="quantile", prob=level))


def test_coefficients_agree(both: tuple) -> None:
    one, two = (side["coefficients"] for side in both)
    assert_small(differences(one, two, method="mean"))
    for level in QUANTILES[::2]:
        assert_small(differences(one, two, method="quantile", prob=level))


def test_coefficients_and_effects_move_together_alike(both: tuple) -> None:
    """Products of standardised effects and coefficients, by one centre and scale for both ways."""
    products: list[Named] = [{}, {}]
    effects = [name for name in both[0]["parameters"] if name.startswith("effect")]
    for e in effects:
        for g in both[0]["coefficients"]:
            first = np.concatenate([s["parameters"][e].ravel() for s in both])
            second = np.concatenate([s["coefficients"][g].ravel() for s in both])
            for side, store in zip(both, products, strict=True):
                a = (side["parameters"][e] - first.mean()) / first.std()
                b = (side["coefficients"][g] - second.mean()) / second.std()
                store[f"{e} {g}"] = a * b
    largest = max(abs(v.mean()) for v in products[0].values())
    assert largest > 0.1  # There is a correlation to be found: media and intercept share the level of the KPI.
    assert_small(differences(products[0], products[1], method="mean"))
