"""What the density must not depend on: held-out results, the unit of the KPI, the currency, the fold it was compiled for."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from mmx.data.panel import Panel

from ..panels import changed
from .cases import Case, every, gradient_of, make, other, plain

CASES = {"every-national": (every, 1), "every-geo": (every, 3), "plain-national": (plain, 1), "plain-geo": (plain, 3)}
CASES |= {f"{name}-{geos}": (partial(other, name), geos) for name, geos in (("lognormal", 1), ("student_t", 3))}
COUNTS = {f"{name}-{geos}": (partial(other, name), geos) for name, geos in (("counts", 1), ("additive counts", 3))}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    build, geos = request.param
    return build(geos)


def remade(case: Case, panel: Panel, weights: np.ndarray | None = None) -> Case:
    """The same specification, resolved anew on other data; counts are no other counts in another unit, hence not in CASES."""
    spec = case.oracle.spec.model_copy(update={"constants": None})
    return make(spec, panel, case.oracle.weights if weights is None else weights)


def assert_same_density(one: Case, two: Case) -> None:
    assert one.structure == two.structure
    for q in one.points(3, seed=11):
        value, slope = one.density(q)
        other_value, other_slope = two.density(q)
        assert other_value == pytest.approx(value, rel=1e-11)
        np.testing.assert_allclose(other_slope, slope, rtol=1e-8, atol=1e-9 * np.abs(slope).max())


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e9])
def test_held_out_results_do_not_matter_at_all(case: Case, garbage: float) -> None:
    kpi = case.oracle.panel.array("kpi")
    kpi[:, ~case.oracle.train] = garbage
    other = remade(case, changed(case.oracle.panel, kpi=kpi))
    for q in case.points(2, seed=10):
        value, slope = case.density(q)
        assert (value, slope.tobytes()) == (other.density(q)[0], other.density(q)[1].tobytes())
    kpi[:, case.oracle.train] *= np.linspace(1.0, 1.2, case.oracle.train.sum())
    q = case.points(1)[0]
    assert remade(case, changed(case.oracle.panel, kpi=kpi)).density(q)[0] != case.density(q)[0]


def test_the_unit_of_the_kpi_does_not_matter(case: Case) -> None:
    panel = case.oracle.panel
    thousands = changed(panel, kpi=panel.array("kpi") * 1000, unit_value=panel.array("unit_value") / 1000)
    assert_same_density(case, remade(case, thousands))


@pytest.mark.parametrize("case", [*CASES.values(), *COUNTS.values()], ids=[*CASES, *COUNTS], indirect=True)
def test_the_currency_does_not_matter(case: Case) -> None:
    panel = case.oracle.panel
    bought = np.array(panel.has_exposure)
    exposure = np.where(bought, panel.array("exposure"), panel.array("exposure") * 1.1)
    counts = case.structure.likelihood == "negative_binomial"
    worth = "unit_value" if counts or panel.target_kind != "money" else "kpi"
    assert_same_density(
        case,
        remade(case, changed(panel, spend=panel.array("spend") * 1.1, exposure=exposure, **{worth: panel.array(worth) * 1.1})),
    )


def test_the_unit_of_exposure_and_population_does_not_matter(case: Case) -> None:
    panel = case.oracle.panel
    units = np.where(panel.has_exposure, 250.0, 1.0)
    other = changed(
        panel,
        exposure=panel.array("exposure") * units,
        organic=panel.array("organic") / 7,
        control=3 + 20 * panel.array("control"),
        population=panel.array("population") / 1000,
    )
    assert_same_density(case, remade(case, other))


def test_the_order_of_geos_does_not_matter_to_the_likelihood() -> None:
    """The coordinates of the deviations are in another basis then; without deviations the density is the same."""
    case = plain(3)
    panel, order = case.oracle.panel, np.array([2, 0, 1])
    names = [n for n, v in panel.data.data_vars.items() if "geo" in v.dims]
    turned = remade(case, changed(panel, **{n: panel.array(n)[order] for n in names}))
    q = case.points(1)[0]
    q[case.structure.slices["geo_z"]] = 0.0
    assert turned.density(q)[0] == pytest.approx(case.density(q)[0], rel=1e-12)


def test_folds_and_other_data_of_one_shape_compile_once() -> None:
    case = every(1)
    case.density(case.points(1)[0])
    compiled = gradient_of(case.structure)
    before = compiled._cache_size()
    for rows in (slice(0, 28), slice(6, 35), slice(12, 20)):
        weights = np.zeros(len(case.oracle.weights))
        weights[rows] = 1.0
        kpi = case.oracle.panel.array("kpi") * np.random.default_rng(rows.stop).uniform(0.5, 2.0, len(weights))
        fold = remade(case, changed(case.oracle.panel, kpi=kpi), weights * case.oracle.panel.window)
        assert fold.structure == case.structure
        assert gradient_of(fold.structure) is compiled
        assert np.isfinite(fold.density(case.points(1)[0])[0])
    assert compiled._cache_size() == before
