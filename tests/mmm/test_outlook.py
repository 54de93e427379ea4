"""Money of future plans with its slopes: against the levels of every quantity, central differences, JAX, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from mmx.mmm import evaluate, evaluate_jax, predict
from mmx.mmm.levels import LEAST, levels, plans
from mmx.mmm.outlook import Outlook
from mmx.mmm.posterior import Posterior
from mmx.response.registry import ADSTOCKS, SATURATIONS

from ..panels import changed
from .draws import posterior_of

HORIZON = 3
ADDITIVE = [*product(("every", "rich", "varying"), (1, 3)), ("grouped", 4)]
MULTIPLICATIVE = [("lognormal", 1), ("counts", 3)]


def outlook_of(name: str, geos: int, kind: str = "last") -> Outlook:
    posterior = posterior_of(name, geos)
    return Outlook(posterior, posterior.reference(HORIZON, kind))


def some_spend(outlook: Outlook, seed: int = 0) -> np.ndarray:
    """Spend in every cell, of the size of the reference's."""
    return np.random.default_rng(seed).gamma(2.0, 60.0, outlook.reference.spend.shape) + 20.0


def exposure_of(outlook: Outlook, spend: np.ndarray) -> np.ndarray:
    """Scaled exposure of past, plan and tail, (time, geo, media + frequencies)."""
    posterior, bought = outlook.posterior, spend * outlook.reference.exposure_per_money
    later = np.zeros((HORIZON + posterior.tail, *posterior.exposure.shape[1:]))
    later[:HORIZON, :, : bought.shape[2]] = bought
    later[:HORIZON, :, posterior.structure.media :] = outlook.reference.frequency
    return np.concatenate([posterior.exposure, later])


def effects_of(outlook: Outlook, spend: np.ndarray) -> np.ndarray:
    """Effect of the paid channels on the scaled KPI from the horizon on, (sample, horizon + tail, geo, channel)."""
    posterior, x = outlook.posterior, exposure_of(outlook, spend)
    found = []
    for g in range(x.shape[1]):
        at = slice(g, g + 1)
        own = levels(posterior.structure, posterior.params, posterior.beta[:, at], x[:, at], np.ones((len(x), 1)))
        varied = posterior.varied(len(x))
        found.append(own if varied is None else own * varied)
    return np.stack(found, axis=2)[:, posterior.stop :, :, : spend.shape[2]]


def differences(value: Callable[[np.ndarray], np.ndarray], spend: np.ndarray, step: float) -> np.ndarray:
    """Central differences by the spend of each period, all geos and channels at once, (sample, horizon, ...)."""
    found = []
    for t in range(len(spend)):
        up, down = spend.copy(), spend.copy()
        up[t] += step
        down[t] -= step
        found.append((value(up) - value(down)) / (2 * step))
    return np.stack(found, axis=1)


def close(found: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    """Equal relative to the value, or to the largest one of the same draw and channel."""
    axes = tuple(range(1, expected.ndim - 1))
    scale = np.abs(expected).max(axis=axes, keepdims=True)
    np.testing.assert_array_less(np.abs(found - expected), rtol * np.maximum(np.abs(expected), scale) + 1e-300)


def test_one_model_has_every_pair_of_families() -> None:
    structure = posterior_of("every", 1).structure
    pairs = set(zip([family for family, _ in structure.adstock], structure.saturation, strict=True))
    assert set(product(ADSTOCKS, SATURATIONS)) <= pairs
    assert {"adstock", "saturation"} <= set(structure.order)
    assert "frequency" in posterior_of("rich", 1).structure.order


@pytest.mark.parametrize(("name", "geos"), ADDITIVE)
def test_a_plan_brings_the_levels_from_its_start_on(name: str, geos: int) -> None:
    outlook = outlook_of(name, geos)
    spend, ahead = some_spend(outlook), outlook.reference.ahead
    expected = np.einsum("stgc,g->sgc", effects_of(outlook, spend), ahead)
    found = outlook.posterior.response_by_geo(spend, reference=outlook.reference)
    close(found, expected, 1e-12)
    close(outlook.posterior.response(spend), expected.sum(axis=1), 1e-12)
    close(outlook.thinned(np.array([4, 1])).value(spend), expected[[4, 1]], 1e-12)


@pytest.mark.parametrize(("name", "geos"), ADDITIVE)
def test_slopes_are_central_differences(name: str, geos: int) -> None:
    outlook = outlook_of(name, geos)
    spend = some_spend(outlook)
    value, slope = outlook.posterior.response_and_slope(spend, reference=outlook.reference)
    np.testing.assert_array_equal(value, outlook.value(spend))
    assert slope.shape == (outlook.samples, *spend.shape)
    assert (np.abs(slope).max(axis=(0, 1, 2)) > 0).all()
    close(slope, differences(outlook.value, spend, 2e-3), 1e-6)


def test_a_pattern_is_the_sum_of_its_cells() -> None:
    outlook = outlook_of("every", 3)
    spend = some_spend(outlook)
    pattern = np.where(some_spend(outlook, 1) > 60, some_spend(outlook, 2), 0.0)
    value, along = outlook.posterior.response_along(spend, pattern, reference=outlook.reference)
    _, slope = outlook.value_and_slope(spend)
    np.testing.assert_array_equal(value, outlook.value(spend))
    close(along, (slope * pattern).sum(axis=1), 1e-12)
    labels = np.array([1, 0, 1])
    _, by_label = outlook.value_and_slope(spend, pattern, labels)
    close(by_label[:, 0], slope[:, 1] * pattern[1], 1e-12)
    close(by_label[:, 0] + by_label[:, 1], along, 1e-12)


@pytest.mark.parametrize(
    ("name", "geos", "labels"), [("every", 3, [0, 1, 2]), ("rich", 3, [0, 0, 0]), ("varying", 1, [1, 0, 1])]
)
def test_compiled_slopes_are_those_of_jax(name: str, geos: int, labels: list[int]) -> None:
    outlook = outlook_of(name, geos)
    posterior, spend = outlook.posterior, some_spend(outlook)
    varied = posterior.varied(posterior.stop + HORIZON + posterior.tail)
    money = np.random.default_rng(1).uniform(0.5, 2.0, (len(posterior.beta), HORIZON + posterior.tail, geos))
    given = (
        posterior.structure,
        posterior.params,
        posterior.beta,
        exposure_of(outlook, spend),
        money,
        None if varied is None else varied[:, posterior.stop :],
        (posterior.stop, posterior.stop + HORIZON),
        some_spend(outlook, 1),
        np.array(labels),
    )
    for ours, theirs in zip(evaluate.plans(*given), evaluate_jax.plans(*given), strict=True):
        close(ours, theirs, 1e-12)


@pytest.mark.parametrize("geos", [1, 3])
def test_slopes_at_no_spend_are_those_of_very_little(geos: int) -> None:
    outlook = outlook_of("every", geos)
    nothing = np.zeros(outlook.reference.spend.shape)
    value, slope = outlook.value_and_slope(nothing)
    np.testing.assert_array_equal(value, outlook.nothing)
    assert np.isfinite(slope).all()
    per_money = outlook.reference.exposure_per_money
    spent = np.divide(LEAST, per_money, out=np.zeros_like(per_money), where=per_money > 0)
    close(slope, outlook.value_and_slope(spent)[1], 1e-9)
    # Cells that the step leaves alone stay at no spend.
    only = np.zeros_like(nothing)
    only[0] = 1.0
    posterior = outlook.posterior
    x, stop = exposure_of(outlook, nothing), posterior.stop
    money = np.ones((1, HORIZON + posterior.tail, geos))
    found = plans(
        posterior.structure,
        posterior.params,
        posterior.beta,
        x,
        money,
        None,
        (stop, stop + HORIZON),
        only,
        np.zeros(3, dtype=int),
    )
    x[stop, :, : nothing.shape[2]] = LEAST
    started = evaluate.plans(
        posterior.structure,
        posterior.params,
        posterior.beta,
        x,
        money,
        None,
        (stop, stop + HORIZON),
        only,
        np.zeros(3, dtype=int),
    )
    np.testing.assert_array_equal(found[1], started[1])


@pytest.mark.parametrize(("name", "geos"), [("every", 1), ("every", 3), ("plain", 1), ("rich", 3), ("varying", 3)])
def test_the_envelope_is_concave_and_lies_above(name: str, geos: int) -> None:
    outlook = outlook_of(name, geos)
    params = outlook.posterior.params
    steep = {**params, "slope": params["slope"] + np.linspace(0.0, 3.0, params["slope"].size).reshape(params["slope"].shape)}
    bent = replace(outlook, posterior=replace(outlook.posterior, params=steep))
    above = bent.envelope()
    assert above is not None
    room = 1e-9 * np.abs(bent.value(some_spend(bent))).max()
    np.testing.assert_array_equal(above.nothing, bent.nothing)
    higher = 0.0
    for seed in range(6):
        one, two = (some_spend(bent, 2 * seed + k) * 2.0 ** (k - seed) for k in range(2))
        ends = [above.value(spend) for spend in (one, two)]
        assert (above.value((one + two) / 2) >= (ends[0] + ends[1]) / 2 - room).all()
        assert (ends[0] >= bent.value(one) - room).all()
        higher = max(higher, float((ends[0] - bent.value(one)).max()))
    assert higher > 1e3 * room
    spend = some_spend(bent)
    close(above.value_and_slope(spend)[1], differences(above.value, spend, 2e-3), 1e-5)


def test_a_multiplicative_model_has_no_envelope() -> None:
    assert outlook_of("lognormal", 1).envelope() is None


def test_a_plan_of_the_wrong_shape_is_refused() -> None:
    outlook = outlook_of("plain", 3)
    with pytest.raises(ValueError, match=r"expected \(horizon, geo, channel\) \(3, 3, 4\)"):
        outlook.value(np.zeros((4, 3, 4)))


def shortened(outlook: Outlook) -> Outlook:
    """The outlook of a table that ends with the training rows."""
    posterior = outlook.posterior
    panel = replace(posterior.panel, data=posterior.panel.data.isel(time=slice(0, posterior.stop)))
    ended: Posterior = replace(posterior, panel=panel, weights=posterior.weights[: posterior.stop])
    return Outlook(ended, ended.reference(HORIZON, outlook.reference.kind))


def bare_kpi(outlook: Outlook, first: int) -> np.ndarray:
    """Expected KPI without paid media in the rows of a horizon, (sample, horizon, geo)."""
    posterior, x = outlook.posterior, predict.whole_exposure(outlook.posterior)
    x[..., : posterior.structure.channels] = 0.0
    rows = np.arange(first, first + HORIZON)
    kpi = [predict.expected(posterior, predict.level(posterior, g, x, rows).T, g).T for g in range(x.shape[1])]
    return np.stack(kpi, axis=2)


@pytest.mark.parametrize(("name", "geos"), MULTIPLICATIVE)
@pytest.mark.parametrize("planned", [True, False])
def test_a_multiplicative_plan_is_a_difference_of_expected_kpi(name: str, geos: int, planned: bool) -> None:
    outlook = outlook_of(name, geos, "planned" if planned else "last")
    outlook = outlook if planned else shortened(outlook)
    posterior, spend = outlook.posterior, some_spend(outlook)
    with pytest.raises(ValueError, match="no response by channel"):
        posterior.response(spend)
    bare = bare_kpi(outlook, posterior.stop if planned else posterior.stop - HORIZON)
    bare = np.concatenate([bare, np.repeat(bare.mean(axis=1, keepdims=True), posterior.tail, axis=1)], axis=1)
    worth = posterior.panel.array("unit_value").T[posterior.stop - 1]
    kpi = [bare * np.exp(effects_of(outlook, plan).sum(axis=3)) for plan in (spend, np.zeros_like(spend))]
    expected = np.einsum("stg,g->s", kpi[0] - kpi[1], worth)
    np.testing.assert_allclose(posterior.plan_value(spend, reference=outlook.reference), expected, rtol=1e-9)
    some = posterior.plan_value(spend, np.array([2, 0]), reference=outlook.reference)
    np.testing.assert_allclose(some, expected[[2, 0]], rtol=1e-9)
    if planned:  # In the horizon, the forecast itself.
        for g in range(geos):
            x = exposure_of(outlook, spend)[: posterior.stop + HORIZON]
            media = slice(posterior.structure.channels, posterior.structure.media)
            x[posterior.stop :, :, media] = predict.whole_exposure(posterior)[posterior.stop :, :, media]
            level = predict.level(posterior, g, x, np.arange(posterior.stop, len(x)))
            np.testing.assert_allclose(kpi[0][:, :HORIZON, g], predict.expected(posterior, level.T, g).T, rtol=1e-9)


@pytest.mark.parametrize(("name", "geos"), MULTIPLICATIVE)
def test_slopes_of_a_multiplicative_plan_are_central_differences(name: str, geos: int) -> None:
    outlook = outlook_of(name, geos)
    spend = some_spend(outlook)
    value, slope = outlook.value_and_slope(spend)
    np.testing.assert_array_equal(value, outlook.value(spend))
    for c in range(spend.shape[2]):

        def alone(own: np.ndarray, c: int = c) -> np.ndarray:
            return outlook.value(np.where(np.arange(spend.shape[2]) == c, own, spend))

        close(slope[..., c : c + 1], differences(alone, spend, 5e-3), 1e-6)


@pytest.mark.parametrize("geos", [1, 3])
def test_planned_rows_are_a_reference(geos: int) -> None:
    posterior = posterior_of("every", geos)
    worth = posterior.panel.array("unit_value") * np.linspace(0.5, 1.5, posterior.panel.data.sizes["time"])
    posterior = replace(posterior, panel=changed(posterior.panel, unit_value=worth))
    reference, stop = posterior.reference(HORIZON, "planned"), posterior.stop
    panel = posterior.panel
    np.testing.assert_array_equal(reference.spend, panel.array("spend").swapaxes(0, 1)[stop : stop + HORIZON])
    assert reference.starts == tuple(str(date) for date in panel.dates[stop : stop + HORIZON])
    np.testing.assert_allclose(reference.money, worth.T[stop : stop + HORIZON] * posterior.size, rtol=1e-12)
    np.testing.assert_allclose(reference.ahead, reference.money.mean(axis=0), rtol=1e-12)
    bought = predict.whole_exposure(posterior)[stop : stop + HORIZON, :, : posterior.structure.channels]
    np.testing.assert_allclose(reference.spend * reference.exposure_per_money, bought, rtol=1e-12)
    outlook = Outlook(posterior, reference)
    spend = some_spend(outlook)
    money = np.concatenate([reference.money, np.repeat(reference.ahead[None], posterior.tail, axis=0)])
    close(outlook.value(spend), np.einsum("stgc,tg->sgc", effects_of(outlook, spend), money), 1e-12)


@pytest.mark.parametrize(("end", "have"), [(0, 0), (2, 2)])
def test_too_few_planned_rows_are_refused(end: int, have: int) -> None:
    posterior = posterior_of("plain", 3)
    panel = replace(posterior.panel, data=posterior.panel.data.isel(time=slice(0, posterior.stop + end)))
    ended = replace(posterior, panel=panel, weights=posterior.weights[: posterior.stop + end])
    with pytest.raises(ValueError, match=f"a horizon of 3 periods with reference planned .* the table has {have}. Add rows"):
        ended.reference(HORIZON, "planned")
    with pytest.raises(ValueError, match="'next' is unknown: expected one of last, last_year, planned"):
        ended.reference(HORIZON, "next")


def test_a_channel_without_spend_in_the_window_buys_at_its_price_before() -> None:
    posterior = posterior_of("plain", 3)
    stop, spend = posterior.stop, posterior.panel.array("spend")
    spend[:, stop - HORIZON : stop, 0] = 0.0
    exposure = posterior.panel.array("exposure")
    exposure[:, stop - HORIZON : stop, 0] = 0.0
    silent = replace(posterior, panel=changed(posterior.panel, spend=spend, exposure=exposure))
    reference, constants = silent.reference(HORIZON), silent.constants
    price = exposure[:, :stop, 0].sum() / spend[:, :stop, 0].sum()
    expected = price / np.array(constants.geo_scale) / constants.media_scale[0]
    np.testing.assert_allclose(reference.exposure_per_money[..., 0], np.repeat(expected[None], HORIZON, axis=0), rtol=1e-12)


def test_the_tail_follows_a_half_life() -> None:
    posterior = posterior_of("every", 1)
    only = tuple("half_life" if family == "geometric" else family for family, _ in posterior.structure.adstock)
    adstock = tuple(("half_life", 0) if family in ("half_life", "two_stage") else ("none", 0) for family in only)
    slow = replace(
        posterior, structure=replace(posterior.structure, adstock=adstock), params={"half_life": np.full((6, 8), 4.0)}
    )
    assert 0.5 ** (slow.tail / 4) <= 0.001 < 0.5 ** ((slow.tail - 1) / 4)
