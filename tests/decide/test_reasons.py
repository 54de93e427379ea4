"""What is said of a plan: which change turns it around, what holds a channel, and that remembering changes nothing."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mmx.decide.channels import _binding
from mmx.decide.kept import Kept
from mmx.decide.menu import menu_of
from mmx.decide.objective import Mean
from mmx.decide.optima import MeanCurves
from mmx.decide.problem import Problem, total_row
from mmx.decide.reasons import by_channel, flips
from mmx.decide.solve import solve

from .fakes import Curves, curves

CHANNELS = np.arange(3)
NAMES = ("tv", "tv at", "search")


def problem(total: float = 300.0) -> Problem:
    return Problem(NAMES, np.full(3, 100.0), np.zeros(3), np.full(3, 300.0), (total_row(3, total),))


def test_the_change_that_is_named_turns_the_advice_and_a_smaller_one_does_not() -> None:
    response = curves(2, 40, 3)
    asked = problem()
    plan = solve(asked, response, Mean(), seed=0).money
    found = flips(asked, CHANNELS, NAMES, plan, MeanCurves(menu_of(asked, response, plan, CHANNELS)))
    largest = int(np.abs(plan - 100.0).argmax())
    belief = found[0]
    assert (belief.channel, belief.kind) == (NAMES[largest], "belief") and belief.factor is not None
    sign = np.sign(plan[largest] - 100.0)

    def moves(factor: float) -> float:
        other = Curves(response.top * np.where(largest == CHANNELS, factor, 1.0), response.half, response.shape)
        return float(sign * (solve(asked, other, Mean(), seed=0).money[largest] - 100.0))

    assert moves(belief.factor) < 3.0, "at the factor the move is gone, but for the width of the menu"
    assert moves(np.sqrt(belief.factor)) > 3.0


def test_nothing_is_said_of_a_move_that_the_mean_does_not_make() -> None:
    response = curves(2, 40, 3)
    asked = problem()
    plan = 200.0 - solve(asked, response, Mean(), seed=0).money
    plan = np.clip(plan, 0.0, 300.0) * 300.0 / np.clip(plan, 0.0, 300.0).sum()
    assert flips(asked, CHANNELS, NAMES, plan, MeanCurves(menu_of(asked, response, plan, CHANNELS))) == ()


def test_a_channel_is_held_by_what_is_said_of_itself() -> None:
    """Although the name of one begins like what is said of another."""
    asked = SimpleNamespace(channel=CHANNELS, problem=problem())
    said = ("tv at at its upper bound", "search not used: it takes 0 or at least 5.00", "total budget")
    made = SimpleNamespace(asked=asked, solution=SimpleNamespace(binding=said))
    held = [_binding(made, c, name) for c, name in enumerate(NAMES)]
    assert held == ["", "upper bound", "not used: it takes 0 or at least 5.00"]


def test_parts_of_a_path_add_up_where_channels_share_a_block() -> None:
    class Product:
        """One block, whose value is the product of its cells."""

        samples, blocks = 2, np.zeros(3, dtype=np.intp)

        def value(self, money: np.ndarray) -> np.ndarray:
            return np.array([[np.prod(money)], [2 * np.prod(money)]])

        def value_and_slope(self, money: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            slope = np.prod(money) / money
            return self.value(money), np.stack([slope, 2 * slope])

    old, new = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 1.0])
    parts = by_channel(Product(), CHANNELS, old, new)
    np.testing.assert_allclose(parts.sum(axis=1), [-2.0, -4.0])
    # d/du of (1 + u) 2 (3 - 2u): 2 (3 - 2u) by the first, -4 (1 + u) by the last.
    np.testing.assert_allclose(parts[0], [4.0, 0.0, -6.0], rtol=1e-12, atol=1e-12)


def test_what_is_remembered_is_what_was_said_and_cannot_be_changed() -> None:
    inner = curves(3, 30, 3)
    kept, money = Kept(inner), np.array([50.0, 100.0, 150.0])
    first = kept.value(money)
    first[:] = 0.0
    np.testing.assert_array_equal(kept.value(money), inner.value(money))
    for made, said in zip(kept.value_and_slope(money), inner.value_and_slope(money), strict=True):
        np.testing.assert_array_equal(made, said)
    draws = np.array([1, 5, 7])
    assert kept.thinned(draws) is kept.thinned(draws.copy())
    np.testing.assert_array_equal(kept.thinned(draws).value(money), inner.value(money)[draws])


@pytest.mark.parametrize("limit", [1, 10_000])
def test_what_is_forgotten_is_asked_for_again(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmx.decide.kept.BYTES", limit)
    inner = curves(3, 30, 3)
    kept = Kept(inner)
    for amount in (*np.linspace(10, 200, 20), 10.0):
        money = np.full(3, amount)
        np.testing.assert_array_equal(kept.value_and_slope(money)[1], inner.value_and_slope(money)[1])
        assert kept._size <= max(limit, 30 * 6 * 8)
