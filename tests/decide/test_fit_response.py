"""Money per cell: its spread over periods and geos, and the value and slopes that a decision sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mmx.decide.fit_response import FitResponse, Grouping, months, response_of
from mmx.mmm.posterior import Posterior

from ..mmm.draws import posterior_of
from ..panels import changed

HORIZON = 6
GROUPINGS: dict[str, tuple[Grouping, Grouping]] = {
    "channel": (None, None),
    "channel x geo": ("each", None),
    "channel x period": (None, "each"),
    "channel x geo x period": ("each", "each"),
    "regions and halves": ([1, 0, 1], [0, 0, 0, 1, 1, 1]),
    "turns": ([0, 0, 1], [0, 1, 0, 1, 0, 1]),
}


@dataclass(frozen=True)
class Roots:
    """A stand-in for an outlook with known curves: a draw's factor times the root of what a channel spends in a geo."""

    factor: np.ndarray
    horizon: int
    carry_in: float = 7.0
    additive: bool = True

    @property
    def samples(self) -> int:
        return len(self.factor)

    @property
    def nothing(self) -> np.ndarray:
        return np.full((self.samples, *self.factor.shape[1:]), self.carry_in)

    def value(self, spend: np.ndarray) -> np.ndarray:
        return self.carry_in + self.factor * np.sqrt(spend.sum(axis=0))

    def value_and_slope(self, spend: np.ndarray, pattern: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slope = 0.5 * self.factor / np.sqrt(spend.sum(axis=0))
        steps = np.stack([pattern[labels == label].sum(axis=0) for label in range(labels.max() + 1)])
        return self.value(spend), slope[:, None] * steps

    def thinned(self, draws: np.ndarray) -> Roots:
        return replace(self, factor=self.factor[draws])


def made(name: str, posterior: Posterior | None = None) -> FitResponse:
    posterior = posterior_of("plain", 3) if posterior is None else posterior
    geos, periods = GROUPINGS[name]
    return response_of(posterior, posterior.reference(HORIZON), geos=geos, periods=periods)


def some_money(response: FitResponse, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 200.0, len(response.names)) + 50.0


def without(posterior: Posterior, *cells: tuple[int, int]) -> Posterior:
    """The posterior of a panel in which some channels do not spend in some geos in the reference window."""
    spend = posterior.panel.array("spend")
    for geo, channel in cells:
        spend[geo, posterior.stop - HORIZON : posterior.stop, channel] = 0.0
    return replace(posterior, panel=changed(posterior.panel, spend=spend, exposure=spend))


@pytest.mark.parametrize("name", GROUPINGS)
def test_money_is_spread_exactly_and_as_the_reference(name: str) -> None:
    response = made(name)
    reference = posterior_of("plain", 3).reference(HORIZON)
    money = some_money(response)
    spend = response.spread(money)
    assert spend.shape == reference.spend.shape and (spend >= 0).all()
    np.testing.assert_allclose(response.gathered(spend), money, rtol=1e-13)
    np.testing.assert_allclose(response.current.sum(), reference.spend.sum(), rtol=1e-13)
    np.testing.assert_allclose(response.spread(response.current), reference.spend, rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(response.share, response.spread(np.ones(len(money))), rtol=1e-13)
    channels, geos, periods = response.shape
    assert len(response.names) == len(set(response.names)) == channels * geos * periods
    np.testing.assert_array_equal(response.blocks, np.repeat(np.arange(channels * geos), periods))


@pytest.mark.parametrize("name", GROUPINGS)
def test_values_are_responses_over_no_spend(name: str) -> None:
    posterior = posterior_of("plain", 3)
    response = made(name)
    money = some_money(response)
    spend = response.spread(money)
    brought = posterior.response_by_geo(spend) - posterior.response_by_geo(np.zeros_like(spend))
    value = response.value(money)
    assert value.shape == (posterior.samples, response.blocks.max() + 1)
    np.testing.assert_allclose(value.sum(axis=1), posterior.plan_value(spend), rtol=1e-10)
    for c, g in np.ndindex(response.shape[:2]):
        own = brought[:, response.geos == g, c].sum(axis=1)
        np.testing.assert_allclose(value[:, c * response.shape[1] + g], own, rtol=1e-10)
    np.testing.assert_array_equal(response.value(np.zeros(len(money))), 0.0)


@pytest.mark.parametrize("name", GROUPINGS)
@pytest.mark.parametrize("model", ["plain", "lognormal"])
def test_slopes_are_central_differences_within_the_block(name: str, model: str) -> None:
    response = made(name, posterior_of(model, 3))
    money = some_money(response)
    value, slope = response.value_and_slope(money)
    np.testing.assert_array_equal(value, response.value(money))
    assert slope.shape == (response.samples, len(money))
    assert (model == "lognormal") == (value.shape[1] == 1)
    for cell in range(len(money)):
        up, down = money.copy(), money.copy()
        up[cell] += 0.01
        down[cell] -= 0.01
        change = (response.value(up) - response.value(down)) / 0.02
        np.testing.assert_allclose(slope[:, cell], change[:, response.blocks[cell]], rtol=2e-6, atol=1e-6 * np.abs(slope).max())
        change[:, response.blocks[cell]] = 0.0
        np.testing.assert_array_equal(change, 0.0)


def test_money_without_a_pattern_is_even_over_time_and_follows_other_spend_by_geo() -> None:
    posterior = without(posterior_of("plain", 3), (1, 0), *((g, 1) for g in range(3)))
    reference = posterior.reference(HORIZON)
    response = response_of(posterior, reference, geos=[0, 1, 0], periods=[0, 0, 0, 1, 1, 1])
    spend = response.spread(np.full(len(response.names), 90.0))
    np.testing.assert_allclose(spend[:, 1, 0], 30.0)  # The only geo of its cell.
    whole = reference.spend.sum(axis=(0, 2))
    expected = 30.0 * whole[[0, 2]] / whole[[0, 2]].sum()
    np.testing.assert_allclose(spend[:, [0, 2], 1], np.repeat(expected[None], HORIZON, axis=0))
    alone = response_of(posterior, reference, periods="each")  # In a period without spend, the channel's split by geo.
    week = np.zeros_like(reference.spend)
    week[1:, :, 2] = reference.spend[1:, :, 2]
    shares = replace(alone, spend=week).spread(np.ones(len(alone.names)))[0, :, 2]
    np.testing.assert_allclose(shares, week[..., 2].sum(axis=0) / week[..., 2].sum())
    _, slope = alone.value_and_slope(alone.current)
    assert (np.abs(slope) > 0).all()


def test_names_say_where_and_when() -> None:
    starts = posterior_of("plain", 3).reference(HORIZON).starts
    assert made("channel").names == ("tv", "radio", "search", "social")
    assert made("channel x geo").names[:4] == ("tv | city0", "tv | city1", "tv | city2", "radio | city0")
    assert made("channel x period").names[1] == f"tv | {starts[1]}"
    assert made("regions and halves").names[:3] == (
        f"tv | city1 | {starts[0]} to {starts[2]}",
        f"tv | city1 | {starts[3]} to {starts[5]}",
        f"tv | city0 + city2 | {starts[0]} to {starts[2]}",
    )
    assert months(["2022-01-24", "2022-01-31", "2022-02-07", "2023-01-02"]).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("labels", [[0, 1], [0, 2, 2], [1, 1, 2], [0.0, 0.5, 1.0], [[0, 0, 0]]])
def test_labels_that_are_no_groups_are_refused(labels: list[int]) -> None:
    posterior = posterior_of("plain", 3)
    with pytest.raises(ValueError, match="expected 3 whole numbers, one per geo, that count groups from 0"):
        response_of(posterior, posterior.reference(HORIZON), geos=labels)


def test_money_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one number per cell, \(12,\)"):
        made("channel x geo").value(np.ones(4))


def test_draws_are_chosen_by_number() -> None:
    response, posterior = made("turns"), posterior_of("plain", 3)
    money, some = some_money(response), np.array([5, 0, 3])
    thin = response.thinned(some)
    assert thin.samples == 3
    for few, every in zip(thin.value_and_slope(money), response.value_and_slope(money), strict=True):
        np.testing.assert_allclose(few, every[some], rtol=1e-12)
    again = thin.thinned(np.array([2]))
    np.testing.assert_allclose(again.value(money), response.value(money)[[3]], rtol=1e-12)
    asked = response_of(posterior, posterior.reference(HORIZON), draws=some)
    np.testing.assert_allclose(asked.value(asked.current), made("channel").value(asked.current)[some], rtol=1e-12)


def test_known_curves_are_enough() -> None:
    spend = np.random.default_rng(0).gamma(2.0, 10.0, (4, 3, 2))
    curves = Roots(np.random.default_rng(1).gamma(2.0, 1.0, (5, 3, 2)), 4)
    response = FitResponse(curves, spend, np.array([0, 1, 1]), np.array([0, 0, 1, 1]), tuple("abcdefgh"))
    money = some_money(response)
    value, slope = response.value_and_slope(money)
    spread = response.spread(money).sum(axis=0)
    np.testing.assert_allclose(value[:, 0], curves.factor[:, 0, 0] * np.sqrt(spread[0, 0]))
    np.testing.assert_allclose(value[:, 3], (curves.factor[:, 1:, 1] * np.sqrt(spread[1:, 1])).sum(axis=1))
    np.testing.assert_allclose(slope[:, 0], 0.5 * curves.factor[:, 0, 0] / np.sqrt(spread[0, 0]))
    np.testing.assert_allclose(slope[:, 1], slope[:, 0])
    np.testing.assert_allclose(response.thinned(np.array([2])).value(money), value[[2]])
