"""A day of the roll-out is a day of the model: by an oracle in plain numpy, and by its expectation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mmx.jax_setup import jax, jnp
from mmx.rules.response.quantities import expected
from mmx.rules.response.simulate import NOISE, Carry, Draw, make_noise, step

ADSETS, LANES = 3, 4


class Today(NamedTuple):
    weekday: int


def parameters(lanes: tuple[int, ...] = (LANES,), seed: int = 1) -> tuple[Draw, Carry]:
    rng = np.random.default_rng(seed)

    def about(centre: float, *shape: int, spread: float = 0.2) -> np.ndarray:
        return centre + spread * rng.uniform(-1, 1, (*shape, *lanes))

    a = ADSETS
    level = np.stack([about(9.0, a), about(-4.0, a), about(-3.0, a)])
    slope = np.stack([about(0.8, a), about(-0.1, a), about(-0.1, a)])
    draw = Draw(
        log_budget=about(4.0, a), delivery=about(-0.1, a), delivery_slope=about(-0.05, a, spread=0.02),
        delivery_sd=about(0.2, a, spread=0.1), log_cap=np.full(lanes, np.log(1.75)), log_delivered=about(-0.1, a),
        level=level, slope=slope, curvature=about(-0.15, spread=0.1),
        delivered=about(0.3, 3), fatigue=about(-0.2, a), exposure_unit=about(2e5, a, spread=1e4),
        exposure_keep=np.full(lanes, 0.97), reach=about(0.6, a, spread=0.1), log_amount=about(4.0, a),
        amount_sd=about(0.6, spread=0.1), impressions_sd=about(0.2, spread=0.1), click_dispersion=about(0.3, spread=0.1),
        purchase_dispersion=about(0.4, spread=0.1), weekday=about(0.0, 3, 7), day_sd=about(0.1, 3, spread=0.05),
        day_keep=about(0.5, 3), drift_sd=about(0.1, 3, spread=0.05), drift_keep=np.full(lanes, 0.98),
    )  # fmt: skip
    return draw, Carry(about(1e5, a, spread=1e4), about(0.0, 3), about(0.0, 3, a))


def oracle(d: Draw, c: Carry, budget: np.ndarray, weekday: int, noise: np.ndarray) -> tuple[Carry, dict[str, np.ndarray]]:
    """One lane and one ad set after the other, with libm and scipy instead of the step's own counts."""
    from scipy import stats

    z = dict(zip(NOISE, noise, strict=True))
    day = [d.day_keep[k] * c.day[k] + np.sqrt(1 - d.day_keep[k] ** 2) * d.day_sd[k] * z[f"day_{k}"][0] for k in range(3)]
    drift = np.zeros((3, ADSETS))
    rows = {
        name: np.zeros(ADSETS) for name in ("spend", "impressions", "click_mean", "clicks", "purchases", "revenue", "expected")
    }
    for a in range(ADSETS):
        for k in range(3):
            drift[k, a] = d.drift_keep * c.drift[k, a] + np.sqrt(1 - d.drift_keep**2) * d.drift_sd[k] * z[f"drift_{k}"][a]
        if budget[a] == 0:
            continue
        x = np.log(budget[a]) - d.log_budget[a]
        delivered = min(d.delivery[a] + d.delivery_slope[a] * x + d.delivery_sd[a] * z["delivery"][a], d.log_cap)
        eta = [
            d.level[k, a] + d.slope[k, a] * x + d.delivered[k] * (delivered - d.log_delivered[a])
            + d.weekday[k, weekday] + day[k] + drift[k, a]
            for k in range(3)
        ]  # fmt: skip
        eta[1] += d.fatigue[a] * (np.log1p(c.exposure[a] / d.exposure_unit[a]) - np.log(2))
        rate = 1 / (1 + np.exp(-eta[1]))
        rows["spend"][a] = budget[a] * np.exp(delivered)
        rows["impressions"][a] = np.round(np.exp(eta[0] + d.impressions_sd * z["impressions"][a]))

        def count(mean: float, dispersion: float, rate_z: float, uniform: float) -> float:
            sd = np.sqrt(np.log1p(dispersion**2))
            return float(stats.poisson(mean * np.exp(sd * rate_z - sd**2 / 2)).ppf(uniform))

        clicks = count(rows["impressions"][a] * rate, d.click_dispersion, z["click_rate"][a], z["click_uniform"][a])
        rows["clicks"][a] = min(clicks, rows["impressions"][a])
        conversion = np.exp(eta[2] + d.curvature * 2 * (np.hypot(1, x) - 1))
        purchases = count(
            rows["clicks"][a] * conversion, d.purchase_dispersion, z["purchase_rate"][a], z["purchase_uniform"][a]
        )
        rows["purchases"][a] = purchases
        variance = np.log1p(np.expm1(d.amount_sd**2) / max(purchases, 1))
        rows["revenue"][a] = purchases * np.exp(d.log_amount[a] - variance / 2 + np.sqrt(variance) * z["amount"][a])
        rows["expected"][a] = np.exp(eta[0] + d.impressions_sd**2 / 2 + d.log_amount[a]) * rate * conversion
    return Carry(d.exposure_keep * c.exposure + rows["impressions"], np.array(day), drift), rows


def test_a_day_is_that_of_the_oracle() -> None:
    (draw, carry), budget = parameters(), np.array([[50.0], [0.0], [90.0]]) * np.ones(LANES)
    noise = np.asarray(make_noise(jax.random.key(4), 3, LANES, ADSETS, jnp.float64))
    run = jax.jit(step)
    agree = total = 0
    for day in range(3):
        after, answer = run(draw, carry, budget, Today(day), noise[day])
        for lane in range(LANES):
            mine = (type(tree)(*(value[..., lane] for value in tree)) for tree in (draw, carry))
            state, rows = oracle(*mine, budget[:, lane], day, noise[day][..., lane])
            found = dict(
                zip(("spend", "impressions", "clicks", "purchases", "revenue"), answer.metrics[:, :, lane], strict=False)
            )
            np.testing.assert_allclose(found["spend"], rows["spend"], rtol=1e-12)
            np.testing.assert_allclose(found["impressions"], rows["impressions"], rtol=1e-12)
            np.testing.assert_allclose(answer.expected_revenue[:, lane], rows["expected"], rtol=1e-12)
            for k in range(3):
                np.testing.assert_allclose(after[k][..., lane], state[k], rtol=1e-12)
            assert np.abs(found["clicks"] - rows["clicks"]).max() <= 1  # A quantile by expansion may be one off.
            same = (found["clicks"] == rows["clicks"]) & (found["purchases"] == rows["purchases"])
            np.testing.assert_allclose(found["revenue"][same], rows["revenue"][same], rtol=1e-12)
            agree, total = agree + int(same.sum()), total + ADSETS
        carry = after
    assert agree >= 0.9 * total
    assert (np.asarray(answer.metrics)[:, 1] == 0).all()  # Without a budget nothing is served.


def test_lanes_are_independent_accounts() -> None:
    draw, carry = parameters()
    noise = make_noise(jax.random.key(1), 1, LANES, ADSETS, jnp.float64)[0]
    budget = jnp.full((ADSETS, LANES), 60.0)
    _, together = jax.jit(step)(draw, carry, budget, Today(2), noise)
    one = (type(tree)(*(np.asarray(value)[..., 2] for value in tree)) for tree in (draw, carry))
    _, alone = jax.jit(step)(*one, budget[:, 2], Today(2), noise[..., 2])
    np.testing.assert_allclose(together.metrics[..., 2], alone.metrics, rtol=1e-12)


def test_single_precision_is_enough() -> None:
    draw, carry = parameters()
    noise = make_noise(jax.random.key(2), 1, LANES, ADSETS, jnp.float64)[0]
    budget = jnp.full((ADSETS, LANES), 60.0)
    _, exact = jax.jit(step)(draw, carry, budget, Today(2), noise)
    narrow = jax.tree.map(lambda v: np.asarray(v, np.float32), (draw, carry, budget))
    _, found = jax.jit(step)(*narrow, Today(2), noise.astype(jnp.float32))
    assert found.metrics.dtype == jnp.float32
    np.testing.assert_allclose(found.expected_revenue, exact.expected_revenue, rtol=1e-4)
    assert np.abs(found.metrics[1:4] - exact.metrics[1:4]).max() <= 1


def test_noise_is_what_it_says() -> None:
    from scipy import stats

    noise = np.asarray(make_noise(jax.random.key(3), 20, 8, 10))
    assert noise.shape == (20, len(NOISE), 10, 8) and noise.dtype == np.float32
    for count, uniform in (("click_count", "click_uniform"), ("purchase_count", "purchase_uniform")):
        left, right = (noise[:, NOISE.index(name)] for name in (count, uniform))
        np.testing.assert_allclose(right, stats.norm.cdf(left), atol=1e-6)
    plain = [i for i, name in enumerate(NOISE) if not name.endswith("uniform")]
    assert stats.kstest(noise[:, plain].ravel(), stats.norm.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(noise, make_noise(jax.random.key(3), 20, 8, 10))  # The same key, the same luck.


def test_expected_revenue_is_the_mean_of_revenue() -> None:
    """Over the luck of counts and amounts, within four standard errors; and over delivery it is that of ``quantities``."""
    lanes = 40_000
    draw, carry = parameters((1,))
    draw = draw._replace(weekday=0.0 * draw.weekday, day_sd=0.0 * draw.day_sd, drift_sd=0.0 * draw.drift_sd)
    carry = carry._replace(day=0.0 * carry.day)
    draw = draw._replace(drift_keep=np.ones(1))
    noise = make_noise(jax.random.key(5), 1, lanes, ADSETS, jnp.float64)[0]
    budget = np.array([40.0, 60.0, 120.0])
    _, answer = jax.jit(step)(draw, carry, np.repeat(budget[:, None], lanes, axis=1), Today(0), noise)
    off = np.asarray(answer.metrics[4] - answer.expected_revenue)
    assert (np.abs(off.mean(axis=1)) < 4 * off.std(axis=1) / np.sqrt(lanes)).all()
    spend, revenue = expected(draw, carry, budget)
    for mine, values in ((spend, answer.metrics[0]), (revenue, answer.expected_revenue)):
        error = np.asarray(values).std(axis=1) / np.sqrt(lanes)
        assert (np.abs(np.asarray(values).mean(axis=1) - mine[:, 0]) < 4 * error + 1e-3 * mine[:, 0]).all()


@pytest.mark.parametrize("name", ["day", "drift"])
def test_shocks_keep_their_variance(name: str) -> None:
    draw, carry = parameters((400,))
    noise = make_noise(jax.random.key(6), 60, 400, ADSETS, jnp.float64)
    draw = draw._replace(drift_keep=np.full(400, 0.8), day_sd=np.full((3, 400), 0.1), drift_sd=np.full((3, 400), 0.1))
    budget = jnp.full((ADSETS, 400), 60.0)
    last, _ = jax.lax.scan(lambda c, z: (step(draw, c, budget, Today(0), z)[0], None), carry, noise)
    values = np.asarray(getattr(last, name)).reshape(3, -1)
    assert values.std(axis=1) == pytest.approx(0.1, rel=4 / np.sqrt(2 * 400) + 0.02)
