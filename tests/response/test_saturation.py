from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import expit

from mmx.jax_setup import jax, jnp
from mmx.response.registry import SATURATIONS, Saturation

from ..finite import assert_gradient

VALUES = {"half_saturation": (0.3, 1.0, 4.0), "slope": (0.5, 1.0, 3.0), "lam": (0.2, 1.0, 6.0), "exponent": (0.1, 0.5, 0.9)}
EXTREME = {
    "half_saturation": (1e-3, 1.0, 1e3),
    "slope": (0.1, 1.0, 10.0),
    "lam": (1e-3, 1.0, 1e3),
    "exponent": (0.01, 0.5, 0.99),
}
EXTREME_U = np.concatenate([[0.0, 5e-324, 1e-310], np.logspace(-300, 6, 103)])


@pytest.fixture(params=SATURATIONS.values(), ids=SATURATIONS)
def family(request: pytest.FixtureRequest) -> Saturation:
    return request.param


def grid(family: Saturation, values: dict[str, tuple[float, ...]] = VALUES) -> dict[str, np.ndarray]:
    cells = np.array(list(product(*(values[name] for name in family.parameters))))
    return {name: cells[:, i] for i, name in enumerate(family.parameters)}


def spread(u: np.ndarray, params: dict[str, np.ndarray]) -> np.ndarray:
    """The same exposures for every medium, (point, media)."""
    return np.repeat(u[:, None], media_of(params), axis=1)


def media_of(params: dict[str, np.ndarray]) -> int:
    return len(next(iter(params.values()))) if params else 1


def test_no_exposure_has_no_effect(family: Saturation) -> None:
    params = grid(family, EXTREME)
    np.testing.assert_array_equal(family.apply(spread(np.zeros(2), params), params), 0.0)


def test_it_rises_from_zero_and_to_one_where_it_ends(family: Saturation) -> None:
    params = grid(family, EXTREME)
    found = np.asarray(jax.jit(family.apply)(spread(EXTREME_U, params), params))
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1 or not family.bounded
    assert (np.diff(found, axis=0) >= 0).all()
    moderate = grid(family)
    middle = np.asarray(family.apply(spread(np.linspace(0, 5, 60), moderate), moderate))
    full = family.bounded & (middle[1:] > 1 - 1e-12)  # float64 is flat where a steep curve has reached one.
    assert ((np.diff(middle, axis=0) > 0) | full).all() and not full.all()
    full = np.asarray(family.apply(spread(np.array([1e30]), moderate), moderate))
    if family.bounded:
        np.testing.assert_allclose(full, 1.0, rtol=1e-12)
    else:
        assert (full > 5).all()


def test_geos_and_periods_are_treated_alike(family: Saturation) -> None:
    params = grid(family)
    u = np.random.default_rng(0).gamma(1.0, 1.0, (5, 2, media_of(params)))
    whole = np.asarray(family.apply(u, params))
    for t, g in product(range(5), range(2)):
        np.testing.assert_array_equal(whole[t, g], family.apply(u[t, g], params))


def test_gradients_are_the_finite_differences(family: Saturation) -> None:
    names = family.parameters

    @jax.jit
    def value(q: jax.Array) -> jax.Array:
        return family.apply(q[:1], {n: q[i + 1 : i + 2] for i, n in enumerate(names)})[0]

    slope = jax.jit(jax.grad(value))
    for u, *cell in product((0.1, 1.0, 3.0), *(VALUES[n] for n in names)):
        q = np.array([u, *cell])
        assert_gradient(np.asarray(slope(q)), value, q, step=5e-4)


def test_values_and_gradients_are_finite_at_the_edges(family: Saturation) -> None:
    params = grid(family, EXTREME)

    def total(u: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
        return jnp.sum(family.apply(u, params))

    by_u, by_params = jax.jit(jax.grad(total, argnums=(0, 1)))(spread(EXTREME_U, params), params)
    assert np.isfinite(by_u).all()
    for name in family.parameters:
        assert np.isfinite(by_params[name]).all(), name
    none = jax.jit(jax.grad(total, argnums=1))(spread(np.zeros(3), params), params)
    for name in family.parameters:
        np.testing.assert_array_equal(none[name], 0.0)


def test_hill_is_its_formula() -> None:
    params = grid(SATURATIONS["hill"])
    u = spread(np.linspace(0.0, 6.0, 31), params)
    with np.errstate(divide="ignore"):
        expected = u ** params["slope"] / (u ** params["slope"] + params["half_saturation"] ** params["slope"])
    np.testing.assert_allclose(SATURATIONS["hill"].apply(u, params), expected, rtol=1e-13)


def test_hill_is_half_at_half_saturation() -> None:
    params = grid(SATURATIONS["hill"], EXTREME)
    np.testing.assert_array_equal(SATURATIONS["hill"].apply(params["half_saturation"], params), 0.5)


def test_hill_is_symmetric_in_the_logarithm_of_exposure() -> None:
    params = grid(SATURATIONS["hill"])
    below, above = (np.asarray(SATURATIONS["hill"].apply(params["half_saturation"] * f, params)) for f in (1 / 3, 3.0))
    np.testing.assert_allclose(below + above, 1.0, rtol=1e-14)


def test_logistic_is_its_formula() -> None:
    params = grid(SATURATIONS["logistic"])
    u = spread(np.linspace(0.0, 6.0, 31), params)
    found, decay = SATURATIONS["logistic"].apply(u, params), np.exp(-params["lam"] * u)
    np.testing.assert_allclose(found, 2 * expit(params["lam"] * u) - 1, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(found, (1 - decay) / (1 + decay), rtol=1e-12, atol=1e-16)


def test_logistic_starts_with_half_its_rate() -> None:
    params = grid(SATURATIONS["logistic"], EXTREME)
    slope = jax.jit(jax.grad(lambda u: jnp.sum(SATURATIONS["logistic"].apply(u, params))))(jnp.zeros(3))
    np.testing.assert_allclose(slope, params["lam"] / 2, rtol=1e-14)


def test_curves_of_one_rate_are_their_formulas() -> None:
    params = grid(SATURATIONS["tanh"])
    u = spread(np.linspace(0.0, 6.0, 31), params)
    expected = {
        "tanh": np.tanh(params["lam"] * u),
        "exponential": 1 - np.exp(-params["lam"] * u),
        "log": np.log(1 + params["lam"] * u),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(SATURATIONS[name].apply(u, params), value, rtol=1e-12, atol=1e-16)


def test_michaelis_menten_is_hill_with_a_slope_of_one() -> None:
    params = grid(SATURATIONS["michaelis_menten"])
    u = spread(np.linspace(0.0, 6.0, 31), params)
    hill = SATURATIONS["hill"].apply(u, params | {"slope": np.ones(media_of(params))})
    np.testing.assert_allclose(SATURATIONS["michaelis_menten"].apply(u, params), hill, rtol=1e-13)


def test_the_root_has_a_constant_elasticity() -> None:
    params = grid(SATURATIONS["root"])
    u = spread(np.linspace(0.1, 6.0, 31), params)
    ratio = np.asarray(SATURATIONS["root"].apply(2 * u, params)) / SATURATIONS["root"].apply(u, params)
    np.testing.assert_allclose(ratio, np.broadcast_to(2 ** params["exponent"], ratio.shape), rtol=1e-13)
    np.testing.assert_array_equal(SATURATIONS["root"].apply(np.ones((1, media_of(params))), params), 1.0)
