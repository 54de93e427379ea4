from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import weibull_min

from mmx.jax_setup import jax, jnp
from mmx.response.registry import ADSTOCKS, Adstock

from ..finite import assert_gradient

# Values of every parameter that a family may have; the media axis holds all their combinations.
VALUES = {"alpha": (0.001, 0.3, 0.7, 0.95), "theta": (0.02, 0.25, 0.5, 0.9), "stage": (0.001, 0.3, 0.8, 0.999)}
VALUES |= {"half_life": (0.1, 1.0, 3.0, 12.0), "weibull_shape": (0.5, 1.0, 2.0, 5.0), "weibull_scale": (0.5, 1.5, 4.0, 12.0)}
EXTREME = dict.fromkeys(("alpha", "theta", "stage"), (0.001, 0.5, 0.999))
EXTREME |= {"half_life": (0.05, 1.0, 500.0), "weibull_shape": (0.05, 1.5, 20.0), "weibull_scale": (0.05, 2.0, 100.0)}
WINDOW, TIMES, GEOS = 9, 25, 2
LONG = 1200  # 0.95 ** 1200 is below the rounding error


@pytest.fixture(params=ADSTOCKS.values(), ids=ADSTOCKS)
def family(request: pytest.FixtureRequest) -> Adstock:
    return request.param


def grid(family: Adstock, values: dict[str, tuple[float, ...]] = VALUES) -> dict[str, np.ndarray]:
    cells = np.array(list(product(*(values[name] for name in family.parameters))))
    return {name: cells[:, i] for i, name in enumerate(family.parameters)}


def media_of(params: dict[str, np.ndarray]) -> int:
    return len(next(iter(params.values()))) if params else 1


def exposure(params: dict[str, np.ndarray], seed: int = 0) -> np.ndarray:
    media = media_of(params)
    return np.random.default_rng(seed).gamma(1.0, 1.0, (TIMES, GEOS, media))


def apply(family: Adstock, x: np.ndarray, params: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(jax.jit(family.apply, static_argnums=2)(x, params, WINDOW))


def weights(family: Adstock, params: dict[str, np.ndarray], length: int) -> np.ndarray:
    return np.asarray(family.weights(params, WINDOW, length))


def test_weights_are_shares(family: Adstock) -> None:
    found = weights(family, grid(family), LONG)
    assert found.shape == (LONG, media_of(grid(family)))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=0), 1.0, rtol=1e-13)


@pytest.mark.parametrize("length", [1, WINDOW - 2, WINDOW, WINDOW + 4])
def test_the_first_weights_do_not_depend_on_how_many_are_asked_for(family: Adstock, length: int) -> None:
    params = grid(family)
    np.testing.assert_allclose(weights(family, params, length), weights(family, params, LONG)[:length], rtol=1e-13)


def test_the_weights_convolve_the_exposure(family: Adstock) -> None:
    params = grid(family)
    x, w = exposure(params), weights(family, params, LONG)[:TIMES]
    found = apply(family, x, params)
    for g, m in product(range(GEOS), range(x.shape[2])):
        np.testing.assert_allclose(found[:, g, m], np.convolve(x[:, g, m], w[:, m])[:TIMES], rtol=1e-12, atol=1e-15)


def test_it_is_linear(family: Adstock) -> None:
    params = grid(family)
    one, two = exposure(params, 1), exposure(params, 2)
    parts = 2.5 * apply(family, one, params) + 0.1 * apply(family, two, params)
    np.testing.assert_allclose(apply(family, 2.5 * one + 0.1 * two, params), parts, rtol=1e-12)


def test_nothing_acts_before_it_happens(family: Adstock) -> None:
    params = grid(family)
    x = exposure(params)
    later = x.copy()
    later[12:] += 5.0
    np.testing.assert_array_equal(apply(family, x, params)[:12], apply(family, later, params)[:12])
    assert (apply(family, later, params)[12:].sum(axis=0) > apply(family, x, params)[12:].sum(axis=0)).all()


def test_a_constant_converges_to_itself(family: Adstock) -> None:
    params = grid(family)
    x = np.full((LONG, 1, media_of(params)), 7.0)
    found = apply(family, x, params)
    np.testing.assert_allclose(found[-1], 7.0, rtol=1e-12)
    assert (np.diff(found, axis=0) >= -1e-14).all()


@pytest.mark.parametrize("name", [name for name, family in ADSTOCKS.items() if family.parameters])
def test_gradients_are_the_finite_differences(name: str) -> None:
    family = ADSTOCKS[name]
    params = grid(family, {name: values[1:3] for name, values in VALUES.items()})
    x = np.random.default_rng(3).gamma(1.0, 1.0, (TIMES, 1))
    weight = np.random.default_rng(4).normal(size=TIMES)
    names = family.parameters

    @jax.jit
    def value(q: jax.Array) -> jax.Array:
        return jnp.sum(weight[:, None] * family.apply(x, {n: q[i : i + 1] for i, n in enumerate(names)}, WINDOW))

    slope = jax.jit(jax.grad(value))
    for cell in range(media_of(params)):
        q = np.array([params[n][cell] for n in names])
        assert_gradient(np.asarray(slope(q)), value, q)


def test_values_and_gradients_are_finite_at_the_edges(family: Adstock) -> None:
    params = grid(family, EXTREME)
    x = exposure(params)
    x[3:9], x[10] = 0.0, 1e-300
    x[11:14] = 1e6

    def total(x: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
        return jnp.sum(family.apply(x, params, WINDOW))

    value, (by_x, by_params) = jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(x, params)
    assert np.isfinite(value)
    assert np.isfinite(by_x).all()
    for name in family.parameters:
        assert np.isfinite(by_params[name]).all(), name


def test_geometric_weights_are_the_powers() -> None:
    found = weights(ADSTOCKS["geometric"], {"alpha": np.array([0.4])}, 6)[:, 0]
    np.testing.assert_allclose(found, 0.6 * 0.4 ** np.arange(6), rtol=1e-14)


@pytest.mark.parametrize("peak", range(WINDOW))
def test_the_delayed_peak_is_where_theta_says(peak: int) -> None:
    params = {"alpha": np.array([0.2, 0.6, 0.9]), "theta": np.full(3, peak / (WINDOW - 1))}
    found = weights(ADSTOCKS["delayed"], params, WINDOW)
    np.testing.assert_array_equal(found.argmax(axis=0), peak)
    ratio = found / found[peak]
    lag = np.arange(WINDOW)[:, None]
    np.testing.assert_allclose(ratio, params["alpha"] ** ((lag - peak) ** 2.0), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", [name for name, family in ADSTOCKS.items() if family.windowed])
def test_exposure_is_forgotten_after_the_window(name: str) -> None:
    params = {p: np.array([0.9]) for p in ADSTOCKS[name].parameters}
    x = np.zeros((TIMES, 1, 1))
    x[0] = 1.0
    found = apply(ADSTOCKS[name], x, params)[:, 0, 0]
    assert (found[:WINDOW] > 0).all()
    np.testing.assert_array_equal(found[WINDOW:], 0.0)


def test_weibull_density_weights_are_its_densities() -> None:
    found = weights(ADSTOCKS["weibull_pdf"], {"weibull_shape": np.array([2.0]), "weibull_scale": np.array([3.0])}, WINDOW)[:, 0]
    density = weibull_min(2.0, scale=3.0).pdf(np.arange(1, WINDOW + 1))
    np.testing.assert_allclose(found, density / density.sum(), rtol=1e-13)


def test_weibull_survival_weights_are_products_of_what_is_left() -> None:
    found = weights(ADSTOCKS["weibull_cdf"], {"weibull_shape": np.array([0.7]), "weibull_scale": np.array([3.0])}, WINDOW)[:, 0]
    np.testing.assert_allclose(found[1:] / found[:-1], weibull_min(0.7, scale=3.0).sf(np.arange(1, WINDOW)), rtol=1e-12)


def test_binomial_weights_are_the_powers_of_what_is_left_of_the_window() -> None:
    found = weights(ADSTOCKS["binomial"], {"alpha": np.array([0.5, 0.25])}, WINDOW)
    left = 1 - np.arange(WINDOW)[:, None] / WINDOW
    np.testing.assert_allclose(found, left ** [1, 3] / (left ** [1, 3]).sum(axis=0), rtol=1e-13)


def test_two_stages_are_a_geometric_one_and_another() -> None:
    params = grid(ADSTOCKS["two_stage"])
    x = exposure(params)
    first = apply(ADSTOCKS["geometric"], x, {"alpha": params["alpha"]})
    both = apply(ADSTOCKS["geometric"], first, {"alpha": params["alpha"] * params["stage"]})
    np.testing.assert_allclose(apply(ADSTOCKS["two_stage"], x, params), both, rtol=1e-12)


def test_two_equal_stages_are_the_pascal_lag() -> None:
    """Solow (1960): weights ``(lag + 1) (1 - alpha)^2 alpha^lag``."""
    alpha, lag = np.array([0.3, 0.8]), np.arange(30)[:, None]
    found = weights(ADSTOCKS["two_stage"], {"alpha": alpha, "stage": np.ones(2)}, 30)
    np.testing.assert_allclose(found, (lag + 1) * (1 - alpha) ** 2 * alpha**lag, rtol=1e-12)
