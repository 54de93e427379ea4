"""What holds for every plan, over random worlds: totals, bounds, the current plan, units, budgets, order of channels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmx.decide.objective import CVaR, Mean
from mmx.decide.problem import Problem, Row, total_row
from mmx.decide.solve import solve

from .fakes import curves

SHAPES = {"concave": (1.0, 1.0), "S-shaped": (1.5, 3.0)}
WORLD = st.tuples(
    st.integers(0, 10_000),  # seed
    st.integers(2, 5),  # channels
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from([Mean(), CVaR(0.2)]),
    st.floats(0.4, 1.8),  # total over the current plan's
)
few = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def world(seed, channels, kind, share):
    response = curves(seed, 20, channels, SHAPES[kind])
    rng = np.random.default_rng(seed)
    current = rng.uniform(20, 100, channels)
    names = tuple(f"channel {c}" for c in range(channels))
    high = current * rng.uniform(1.9, 4, channels)
    return response, Problem(names, current, 0.1 * current, high, (total_row(channels, share * current.sum()),))


@few
@given(WORLD)
def test_total_bounds_and_the_current_plan(drawn):
    seed, channels, kind, objective, share = drawn
    response, problem = world(seed, channels, kind, share)
    half = np.where(np.arange(channels) == 0, 0.5, -0.5)
    problem = replace(problem, rows=(*problem.rows, Row("channel 0 <= 50 %", half, -np.inf, 0.0)))
    found = solve(problem, response, objective, seed=0)
    total = problem.rows[0].high
    assert found.money.sum() == pytest.approx(total, rel=1e-13)
    assert (found.money >= problem.low).all()
    assert (found.money <= problem.high).all()
    assert found.money[0] <= total * (0.5 + 1e-12)
    assert found.certificate.certified
    assert found.value == objective.value(found.draws)
    scaled = problem.current * share
    if scaled[0] <= total / 2:
        assert found.value >= objective.value(response.value(scaled).sum(axis=1))


@few
@given(WORLD, st.sampled_from([1e-4, 37.0, 1e6]))
def test_the_currency_does_not_matter(drawn, rate):
    seed, channels, kind, objective, share = drawn
    response, problem = world(seed, channels, kind, share)
    other = replace(
        problem,
        current=rate * problem.current,
        low=rate * problem.low,
        high=rate * problem.high,
        rows=(total_row(channels, rate * problem.rows[0].high),),
    )
    here = solve(problem, response, objective, seed=0)
    there = solve(other, replace(response, top=rate * response.top, half=rate * response.half), objective, seed=0)
    if kind == "concave":
        assert there.money / rate == pytest.approx(here.money, rel=1e-4, abs=1e-4 * problem.current.sum())
        assert there.value / rate == pytest.approx(here.value, rel=1e-7)
    assert there.value / rate >= here.value - there.certificate.gap / rate - 1e-9 * abs(here.value)
    assert there.certificate.certified == here.certificate.certified


@few
@given(WORLD, st.floats(1.01, 1.5))
def test_more_budget_never_brings_less(drawn, more):
    seed, channels, kind, objective, share = drawn
    response, problem = world(seed, channels, kind, share)
    total = min(problem.rows[0].high * more, problem.high.sum())
    here = solve(problem, response, objective, seed=0)
    richer = solve(replace(problem, rows=(total_row(channels, total),)), response, objective, seed=0)
    assert richer.value >= here.value - richer.certificate.gap - 1e-9 * abs(here.value)
    assert richer.certificate.bound >= here.value * (1 - 1e-9)


@few
@given(WORLD)
def test_permuted_channels_permute_the_plan(drawn):
    seed, channels, kind, objective, share = drawn
    response, problem = world(seed, channels, kind, share)
    order = np.random.default_rng(seed).permutation(channels)
    turned = replace(response, **{name: getattr(response, name)[:, order] for name in ("top", "half", "shape")})
    other = Problem(
        tuple(problem.cells[c] for c in order), problem.current[order], problem.low[order], problem.high[order], problem.rows
    )
    here, there = (solve(p, r, objective, seed=0) for p, r in ((problem, response), (other, turned)))
    if kind == "concave":
        assert there.money == pytest.approx(here.money[order], rel=1e-4, abs=1e-4 * problem.current.sum())
    assert there.value >= here.value - there.certificate.gap - 1e-9 * abs(here.value)


@few
@given(WORLD)
def test_the_shadow_price_is_the_slope_of_the_best_value(drawn):
    seed, channels, _, objective, share = drawn
    response, problem = world(seed, channels, "concave", share)
    total = problem.rows[0].high
    step = 1e-3 * total
    below, above = (
        solve(replace(problem, rows=(total_row(channels, total + sign * step),)), response, objective, seed=0).value
        for sign in (-1, 1)
    )
    middle = solve(problem, response, objective, seed=0)
    slopes = sorted([(above - middle.value) / step, (middle.value - below) / step])
    room = 1e-4 * abs(slopes[1])
    assert slopes[0] - room <= middle.shadow_price <= slopes[1] + room
