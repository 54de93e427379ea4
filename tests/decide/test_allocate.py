from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from mmx.decide.allocate import allocate

GRID = np.linspace(0.0, 3.0, 33)
COST = np.array([200.0, 50.0, 120.0])
Curve = Callable[[np.ndarray], np.ndarray]


def hill(half: float, slope: float, top: float) -> Curve:
    return lambda m: top * m**slope / (m**slope + half**slope)


CURVES: dict[str, list[Curve]] = {
    "concave": [hill(1.0, 1.0, 500.0), lambda m: 90 * np.sqrt(m), lambda m: 200 * np.log1p(2 * m)],
    "s-shaped": [hill(1.5, 4.0, 500.0), hill(0.8, 3.0, 150.0), hill(2.0, 5.0, 400.0)],
    "linear": [lambda m: 210.0 * m, lambda m: 40.0 * m, lambda m: 130.0 * m],
    "mixed": [hill(1.5, 6.0, 600.0), lambda m: 90 * np.sqrt(m), lambda m: 100.0 * m],
    "one useless": [lambda m: 0.0 * m, hill(1.0, 1.0, 100.0), hill(1.0, 2.0, 300.0)],
}


def worth(value: np.ndarray, grid: np.ndarray, plan: np.ndarray) -> np.ndarray:
    """Summed value of plans (..., channel) on the curves through the grid."""
    return sum(PchipInterpolator(grid, value[:, c])(plan[..., c]) for c in range(value.shape[1]))


def by_force(value: np.ndarray, cost: np.ndarray, total: float, low: np.ndarray, high: np.ndarray, points: int = 301) -> float:
    """Best value over a fine grid of two channels, the third taking the rest."""
    axes = [np.linspace(low[c], high[c], points) for c in range(2)]
    plans = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    last = (total - plans @ cost[:2]) / cost[2]
    inside = (last >= low[2]) & (last <= high[2])
    assert inside.any()
    return float(worth(value, GRID, np.column_stack([plans, last])[inside]).max())


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("bounds", [(0.0, 3.0), (0.5, 2.0)])
@pytest.mark.parametrize("curves", CURVES.values(), ids=CURVES)
def test_it_finds_the_best_plan(curves: list[Curve], bounds: tuple[float, float], share: float) -> None:
    value = np.stack([curve(GRID) for curve in curves], axis=1)
    low, high = (np.full(3, b) for b in bounds)
    total = float(COST @ (low + share * (high - low)))
    plan = allocate(GRID, value, COST, total, low, high)
    assert COST @ plan == pytest.approx(total, rel=1e-12)
    assert ((plan >= low) & (plan <= high)).all()
    best = by_force(value, COST, total, low, high)
    assert worth(value, GRID, plan) >= best - 1e-9 * abs(best)


def test_the_local_optimum_of_an_s_shaped_curve_is_left() -> None:
    """An even split of this total is worth little and is a stationary point; one channel alone is worth much."""
    value = np.stack([hill(1.5, 6.0, 100.0)(GRID)] * 3, axis=1)
    cost, even = np.ones(3), np.full(3, 0.8)
    plan = allocate(GRID, value, cost, 2.4, np.zeros(3), np.full(3, 3.0), starts=[even])
    assert worth(value, GRID, plan) > 4 * worth(value, GRID, even)
    assert sorted(plan)[:2] == pytest.approx([0.0, 0.0], abs=0.2)


def test_concave_channels_end_at_one_marginal_value() -> None:
    value = np.stack([curve(GRID) for curve in CURVES["concave"]], axis=1)
    plan = allocate(GRID, value, COST, 400.0, np.full(3, 0.1), np.full(3, 3.0))
    slopes = [PchipInterpolator(GRID, value[:, c]).derivative()(plan[c]) / COST[c] for c in range(3)]
    assert max(slopes) - min(slopes) < 1e-4 * max(slopes)


def test_linear_channels_fill_up_in_the_order_of_their_return() -> None:
    value = np.stack([curve(GRID) for curve in CURVES["linear"]], axis=1)  # returns 1.05, 0.8, 1.083
    low, high = np.full(3, 0.5), np.full(3, 2.0)
    plan = allocate(GRID, value, COST, 400.0, low, high)
    np.testing.assert_allclose(plan, [(400 - 25 - 240) / 200, 0.5, 2.0], rtol=1e-6)


def test_a_channel_without_cost_stays_where_it_is() -> None:
    value = np.stack([hill(1.0, 1.0, 10.0)(GRID)] * 3, axis=1)
    cost = np.array([100.0, 0.0, 50.0])
    low, high = np.array([0.5, 1.0, 0.5]), np.array([2.0, 1.0, 2.0])
    plan = allocate(GRID, value, cost, 160.0, low, high)
    assert plan[1] == 1.0
    assert cost @ plan == pytest.approx(160.0, rel=1e-12)
    np.testing.assert_array_equal(allocate(GRID, value, np.zeros(3), 0.0, np.ones(3), np.ones(3)), 1.0)


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_ends_of_what_is_allowed_are_reached(end: str) -> None:
    value = np.stack([curve(GRID) for curve in CURVES["mixed"]], axis=1)
    low, high = np.full(3, 0.3), np.full(3, 2.5)
    limit = low if end == "low" else high
    np.testing.assert_allclose(allocate(GRID, value, COST, float(COST @ limit), low, high), limit, rtol=1e-9)


def test_nothing_at_all_can_be_spent() -> None:
    value = np.stack([curve(GRID) for curve in CURVES["concave"]], axis=1)
    np.testing.assert_allclose(allocate(GRID, value, COST, 0.0, np.zeros(3), np.full(3, 3.0)), 0.0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    shapes=st.lists(
        st.tuples(st.floats(0.2, 3.0), st.floats(0.4, 6.0), st.just(0.0) | st.floats(1e-3, 1e6), st.floats(0.01, 1e7)),
        min_size=1,
        max_size=6,
    ),
    limits=st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(1.0, 3.0)), min_size=6, max_size=6),
    share=st.floats(0.0, 1.0),
)
def test_total_and_bounds_are_exact_and_the_scaled_plan_is_never_better(
    shapes: list[tuple[float, float, float, float]], limits: list[tuple[float, float]], share: float
) -> None:
    value = np.stack([hill(*shape[:3])(GRID) for shape in shapes], axis=1)
    cost = np.array([shape[3] for shape in shapes])
    low, high = (np.array(ends[: len(shapes)]) for ends in zip(*limits, strict=True))
    total = float(cost @ (low + share * (high - low)))
    scaled = np.full(len(shapes), total / cost.sum())
    plan = allocate(GRID, value, cost, total, low, high, starts=[scaled])
    assert abs(cost @ plan - total) <= 1e-9 * total
    assert ((plan >= low) & (plan <= high)).all()
    if ((scaled >= low) & (scaled <= high)).all():
        least = worth(value, GRID, scaled)
        assert worth(value, GRID, plan) >= least - 1e-9 * abs(least)


def test_the_order_of_channels_does_not_matter() -> None:
    value = np.stack([curve(GRID) for curve in CURVES["mixed"]], axis=1)
    low, high = np.array([0.2, 0.5, 0.0]), np.array([2.0, 3.0, 2.5])
    plan = allocate(GRID, value, COST, 500.0, low, high)
    for order in product((0, 1, 2), repeat=3):
        if len(set(order)) == 3:
            turned = list(order)
            other = allocate(GRID, value[:, turned], COST[turned], 500.0, low[turned], high[turned])
            assert worth(value[:, turned], GRID, other) == pytest.approx(worth(value, GRID, plan), rel=1e-6)
