"""Money shared out: sums, bounds and the scale, against sorted breakpoints and a quadratic program's conditions."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmx.jax_setup import jax, jnp
from mmx.rules.allocate import LARGEST_SCALE, allocate

from .oracle import share_out

EXACT, QUICK = 60, 8
seeds = st.integers(0, 2**32 - 1)


@partial(jax.jit, static_argnames="steps")
def _shared(want: Any, lower: Any, upper: Any, money: Any, steps: int) -> Any:
    return allocate(want, lower, upper, money, steps)


def shared(problem: tuple[np.ndarray, np.ndarray, np.ndarray, float], steps: int = EXACT) -> Any:
    return jax.tree.map(np.asarray, _shared(*problem, steps=steps))


def random_problem(seed: int, ad_sets: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Wants over four orders of magnitude, some held, some without an upper bound, some at nothing; any money."""
    rng = np.random.default_rng(seed)
    want = rng.lognormal(3.0, 1.5, ad_sets) * (rng.random(ad_sets) > 0.15)
    lower = want * rng.uniform(0.0, 1.3, ad_sets) * (rng.random(ad_sets) > 0.3)
    upper = np.where(rng.random(ad_sets) < 0.2, np.inf, np.maximum(lower, want * rng.uniform(0.8, 3.0, ad_sets)))
    upper = np.where(want == 0.0, lower, upper)
    held = rng.random(ad_sets) < 0.2
    upper = np.where(held, lower, upper)
    reach = np.where(np.isfinite(upper), upper, 4.0 * want).sum()
    return want, lower, upper, float(rng.choice([0.0, lower.sum(), reach, 1.0]) * rng.uniform(0.2, 2.0))


@given(seeds)
def test_budgets_equal_those_of_sorted_breakpoints(seed: int) -> None:
    problem = random_problem(seed)
    want, lower, upper, money = problem
    found, (wanted, _) = shared(problem), share_out(want.tolist(), lower.tolist(), upper.tolist(), money)
    np.testing.assert_allclose(found.budget, wanted, rtol=1e-9, atol=1e-9 * max(money, 1.0))
    np.testing.assert_allclose(found.unallocated, money - sum(wanted), atol=1e-9 * max(money, 1.0))
    assert bool(found.short) == (lower.sum() > money or money <= 0.0)


@given(seeds)
def test_money_is_conserved_within_bounds(seed: int) -> None:
    want, lower, upper, money = random_problem(seed)
    for steps in (EXACT, QUICK):
        found = shared((want, lower, upper, money), steps)
        assert abs(found.budget.sum() + found.unallocated - money) <= 1e-12 * max(money, 1.0)
        assert found.unallocated >= -1e-12 * max(money, 1.0)
        assert (found.budget <= upper * (1.0 + 1e-12)).all()
        if lower.sum() <= money:
            assert (found.budget >= lower * (1.0 - 1e-12)).all()
        else:
            np.testing.assert_allclose(found.budget * lower.sum(), lower * money, rtol=1e-9)


@given(seeds)
def test_more_money_takes_nothing_from_anyone(seed: int) -> None:
    want, lower, upper, money = random_problem(seed)
    less, more = (shared((want, lower, upper, m)).budget for m in (money, 1.3 * money + 1.0))
    assert (more >= less - 1e-9 * max(money, 1.0)).all()


def test_money_that_suffices_exactly_changes_nothing() -> None:
    want = np.array([10.0, 20.0, 30.0])
    found = shared((want, 0.5 * want, 2.0 * want, 60.0))
    np.testing.assert_array_equal(found.budget, want)
    assert found.unallocated == 0.0 and found.scale == 1.0


def test_what_is_proportional_stays_so_between_bounds() -> None:
    want = np.array([10.0, 20.0, 30.0, 40.0])
    upper = np.array([np.inf, np.inf, np.inf, 40.0])
    found = shared((want, 0.0 * want, upper, 160.0))
    np.testing.assert_allclose(found.budget, [20.0, 40.0, 60.0, 40.0], rtol=1e-12)
    np.testing.assert_allclose(found.scale, 2.0, rtol=1e-12)


def test_money_that_none_may_take_is_left() -> None:
    found = shared((np.array([1.0, 2.0, 0.0]), np.zeros(3), np.array([3.0, 3.0, 0.0]), 10.0))
    np.testing.assert_array_equal(found.budget, [3.0, 3.0, 0.0])
    assert found.unallocated == 4.0 and found.scale > 3.0
    assert found.scale <= LARGEST_SCALE


def test_lanes_equal_one_at_a_time() -> None:
    problems = [random_problem(seed) for seed in range(40)]
    want, lower, upper = (np.stack([p[i] for p in problems], axis=1) for i in range(3))
    money = np.array([p[3] for p in problems])
    lanes = shared((want, lower, upper, money))  # type: ignore[arg-type]
    many = jax.vmap(partial(allocate, steps=EXACT))(*(jnp.asarray(x.T) for x in (want, lower, upper)), jnp.asarray(money))
    for i, problem in enumerate(problems):
        alone = shared(problem)
        np.testing.assert_allclose(lanes.budget[:, i], alone.budget, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(many.budget[i], alone.budget, rtol=1e-9, atol=1e-9)


def test_few_steps_are_nearly_always_enough() -> None:
    """What decisions of roll-outs use: at most one in fifty differs from the exact shares by more than a millionth."""
    problems = [random_problem(seed, 50) for seed in range(300)]
    off = []
    for problem in problems:
        exact, quick = shared(problem), shared(problem, QUICK)
        off.append(np.abs(exact.budget - quick.budget).sum() / max(problem[3], 1.0))
    assert np.mean(np.array(off) > 1e-6) <= 0.02
    assert max(off) < 0.1
