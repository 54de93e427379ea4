from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve
from mmx.spec import Constants

from ..panels import WEEKS, changed, shop_config, shop_panel

PANELS = {(geos, people): shop_panel(geos, population=people) for geos in (1, 3) for people in (False, True)}
SPEC = shop_config().spec


def constants_of(panel, rows: np.ndarray) -> Constants:
    found = resolve(SPEC, panel, rows).constants
    assert found is not None
    return found


@settings(max_examples=25, deadline=None)
@given(
    key=st.sampled_from(sorted(PANELS)),
    held=st.lists(st.integers(0, WEEKS - 1), min_size=1, max_size=30, unique=True),
    factor=st.floats(1e-3, 1e3),
    seed=st.integers(0, 99),
)
def test_constants_look_at_training_rows_only(key: tuple[int, bool], held: list[int], factor: float, seed: int) -> None:
    panel = PANELS[key]
    rows = panel.window.copy()
    rows[held] = False
    outside, rng = ~rows, np.random.default_rng(seed)
    new = {}
    for name in ("kpi", "spend", "exposure", "organic", "treatment", "control", "unit_value"):
        value = panel.array(name)
        value[:, outside] = value[:, outside] * factor + rng.random(value[:, outside].shape)
        new[name] = value
    new["kpi"][:, outside] = rng.choice([np.nan, np.inf, 0.0, 1e12], new["kpi"][:, outside].shape)
    assert constants_of(changed(panel, **new), rows) == constants_of(panel, rows)


def test_constants_follow_the_training_rows() -> None:
    panel = PANELS[3, True]
    kpi = panel.array("kpi")
    kpi[:, panel.window] *= 2.0
    assert constants_of(changed(panel, kpi=kpi), panel.window).kpi_scale == pytest.approx(
        2 * constants_of(panel, panel.window).kpi_scale, rel=1e-14
    )


def test_a_resolved_specification_stays_as_it_is() -> None:
    panel = PANELS[1, False]
    once = resolve(SPEC, panel)
    assert resolve(once, panel) is once
    rows = panel.window & (np.arange(WEEKS) < 40)
    assert resolve(once, changed(panel, kpi=panel.array("kpi") * 3), rows) is once
    assert SPEC.constants is None


def test_the_window_is_the_default_and_the_limit() -> None:
    panel = PANELS[3, True]
    assert constants_of(panel, np.ones(WEEKS, dtype=bool)) == resolve(SPEC, panel).constants


def test_the_scales_are_what_they_say() -> None:
    panel = PANELS[3, True]
    found, window = constants_of(panel, panel.window), panel.window
    people = panel.array("population")
    np.testing.assert_allclose(found.geo_scale, people / people.mean())
    per_head = panel.array("kpi")[:, window] / np.array(found.geo_scale)[:, None]
    assert found.kpi_scale == pytest.approx(np.abs(per_head).mean())
    assert found.kpi_mean == pytest.approx(per_head.mean() / found.kpi_scale)
    assert found.kpi_sd == pytest.approx(np.sqrt((per_head / found.kpi_scale).var(axis=1).mean()))
    tv = (panel.array("exposure")[..., 0] / np.array(found.geo_scale)[:, None])[:, window]
    assert found.media_scale[0] == pytest.approx(tv[tv > 0].mean())
    assert found.numerator[0] == pytest.approx(panel.array("spend")[:, window, 0].sum())
    assert found.numerator[4] == pytest.approx(panel.array("kpi")[:, window].sum())
    assert found.column_mean[0] == panel.array("treatment")[:, window].min()
    assert found.column_mean[1] == pytest.approx(panel.array("control")[:, window].mean())


def test_without_population_a_geo_weighs_its_mean_kpi() -> None:
    panel = PANELS[3, False]
    mean = panel.array("kpi")[:, panel.window].mean(axis=1)
    np.testing.assert_allclose(constants_of(panel, panel.window).geo_scale, mean / mean.mean())


def test_a_channel_that_is_silent_in_the_training_rows_gets_a_coefficient() -> None:
    panel = PANELS[1, False]
    spend, exposure = panel.array("spend"), panel.array("exposure")
    spend[:, panel.window, 2] = exposure[:, panel.window, 2] = 0.0
    found = resolve(SPEC, changed(panel, spend=spend, exposure=exposure))
    assert found.constants is not None
    assert found.constants.kind[:4] == ("roas", "roas", "coefficient", "roas")
    _, inputs, _ = prepare(found, changed(panel, spend=spend, exposure=exposure))
    location, scale = inputs["prior"]["effect"][:, 2]
    assert np.exp(location) == pytest.approx(0.1)
    assert np.exp(location + 1.2815515655446004 * scale) == pytest.approx(0.5)


def test_preparing_needs_constants() -> None:
    with pytest.raises(ValueError, match="not resolved"):
        prepare(SPEC, PANELS[1, False])
