"""What an ad set's ROAS is believed to be: against the exact posterior, and draws from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma, polygamma

from mmx.rules.evidence import pooled_parent, posterior_roas, quantile

AOV, CPA, K = 60.0, 25.0, 8.0


def of_ad_sets(purchases: Any, revenue: Any, spend: Any, days: int = 14) -> dict[str, np.ndarray]:
    names = ("purchases", "revenue", "mature_spend")
    return {f"{n}_{days}d": np.asarray(v, float) for n, v in zip(names, (purchases, revenue, spend), strict=True)}


def believed(purchases: Any, revenue: Any, spend: Any, k: float = K, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = posterior_roas(of_ad_sets(purchases, revenue, spend), {"aov": AOV, "cpa": CPA}, 14, k, spread)
    return np.asarray(mean), np.asarray(sd)


@pytest.mark.parametrize("purchases", [0.0, 3.0, 40.0, 500.0])
def test_the_mean_is_that_of_the_gamma_posterior(purchases: float) -> None:
    """Rate per spend ~ Gamma(k + N, k C + S); order value pooled with k purchases: their product is a ratio of sums."""
    spend, revenue = 700.0, 55.0 * purchases
    rate = stats.gamma(K + purchases, scale=1.0 / (K * CPA + spend))
    order_value = (K * AOV + revenue) / (K + purchases)
    mean, _ = believed(purchases, revenue, spend)
    np.testing.assert_allclose(np.exp(mean), rate.mean() * order_value, rtol=1e-12)


@pytest.mark.parametrize("purchases", [0.0, 3.0, 40.0, 500.0])
def test_the_deviation_is_that_of_a_log_gamma_but_for_its_second_order(purchases: float) -> None:
    """Var(log Gamma(a)) = psi'(a) = 1/a + 1/(2 a^2) + ...; the mean of the logarithm lies 1/(2 a) lower."""
    a = K + purchases
    mean, sd = believed(purchases, 55.0 * purchases, 700.0)
    exact = float(polygamma(1, a))
    assert 0.0 < exact - float(sd) ** 2 < 1.0 / a**2
    order_value = (K * AOV + 55.0 * purchases) / a
    log_mean = float(digamma(a)) - np.log(K * CPA + 700.0) + np.log(order_value)
    assert 0.0 < float(mean) - log_mean < 1.0 / a


def test_nothing_seen_is_the_campaign_and_much_seen_is_the_ad_set() -> None:
    mean, sd = believed([0.0, 1e6], [0.0, 3e6], [0.0, 1e6])
    np.testing.assert_allclose(np.exp(mean), [AOV / CPA, 3.0], rtol=1e-3)
    np.testing.assert_allclose(sd, [1.0 / np.sqrt(K), 1e-3], rtol=1e-3)


def test_spend_without_purchases_speaks_against_an_ad_set() -> None:
    mean, _ = believed(np.zeros(4), np.zeros(4), [0.0, 100.0, 1000.0, 10000.0])
    assert (np.diff(mean) < 0.0).all()


@pytest.mark.parametrize("purchases", [2.0, 30.0])
def test_draws_of_rate_and_order_value_have_these_moments(purchases: float) -> None:
    """The product of a gamma rate and a pooled mean order value has the mean, and the relative variance (1 + v^2) / a."""
    rng, n, v, spend, revenue = np.random.default_rng(3), 400_000, 0.8, 700.0, 55.0 * purchases
    a = K + purchases
    rate = rng.gamma(a, 1.0 / (K * CPA + spend), n)
    order_value = (K * AOV + revenue) / a * (1.0 + v / np.sqrt(a) * rng.standard_normal(n))
    draws = rate * order_value
    mean, sd = believed(purchases, revenue, spend, spread=1.0 + v**2)
    error = draws.std() / np.sqrt(n)
    assert abs(draws.mean() - np.exp(mean)) < 4.0 * error
    squares = (draws / np.exp(mean) - 1.0) ** 2
    assert abs(squares.mean() - v**2 / a**2 - sd**2) < 4.0 * squares.std() / np.sqrt(n)


def test_a_campaign_is_pooled_to_the_account_and_that_to_what_is_expected() -> None:
    sums = {"purchases": np.array([0.0, 20.0]), "revenue": np.array([0.0, 1000.0]), "mature_spend": np.array([0.0, 800.0])}
    nothing = dict.fromkeys(sums, 0.0)
    found = pooled_parent(sums, nothing, (90.0, 30.0), 10.0)
    np.testing.assert_allclose(found["aov"], [90.0, (1000.0 + 900.0) / 30.0])
    np.testing.assert_allclose(found["cpa"], [30.0, (800.0 + 300.0) / 30.0])
    whole = {name: value.sum() for name, value in sums.items()}
    found = pooled_parent(sums, whole, (90.0, 30.0), 10.0)
    np.testing.assert_allclose(found["aov"][0], (1000.0 + 900.0) / 30.0)


def test_the_quantile_makes_a_gate() -> None:
    """P(x > threshold) > q exactly where mean - threshold > z(q) sd."""
    q = np.array([0.05, 0.5, 0.75, 0.995])
    np.testing.assert_allclose(np.asarray(quantile(q)), stats.norm.ppf(q), rtol=1e-12, atol=1e-15)
    mean, sd = 0.3, 0.2
    for gate in q:
        threshold = mean - float(quantile(gate)) * sd
        np.testing.assert_allclose(stats.norm.sf(threshold, mean, sd), gate, rtol=1e-9)
