from __future__ import annotations

import numpy as np
import pytest

from mmx.mmm.design import Design, build
from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve

from ..panels import changed, shop_config, shop_panel


def built(panel) -> tuple[Design, dict]:
    spec = resolve(shop_config({"model": {"seasonality": {"yearly": 2}}}).spec, panel)
    _, inputs, design = prepare(spec, panel)
    np.testing.assert_array_equal(design.z, build(spec, panel).z)
    return design, inputs


@pytest.mark.parametrize("geos", [1, 3])
def test_each_group_holds_its_columns(geos: int) -> None:
    panel = shop_panel(geos)
    design, _ = built(panel)
    widths = {name: place.stop - place.start for name, place in design.groups.items()}
    drift = len(design.frequency)
    assert widths == {"treatments": 1, "controls": 1, "intercept": 1, "trend": 1, "season": 4, "events": 1, "drift": drift}
    assert sum(widths.values()) == design.z.shape[2] == len(design.prior_sd)
    column = {name: design.z[..., place.start] for name, place in design.groups.items()}
    np.testing.assert_array_equal(column["intercept"], 1.0)
    np.testing.assert_array_equal(column["events"], panel.array("event")[..., 0].T)
    inside = column["trend"][panel.window, 0]
    assert inside[-1] - inside[0] == pytest.approx(1.0)
    assert inside.sum() == pytest.approx(0.0, abs=1e-12)
    control = column["controls"][panel.window]
    assert control.mean() == pytest.approx(0.0, abs=1e-12)
    assert control.std() == pytest.approx(1.0)
    assert column["treatments"][panel.window].min() == 0.0


@pytest.mark.parametrize("geos", [1, 3])
def test_a_medium_that_follows_demand_has_a_column_of_the_baseline(geos: int) -> None:
    panel = shop_panel(geos)
    config = shop_config(
        {"data": {"channels": {"search": {"follows_demand": True}}, "organic": {"mail": {"follows_demand": True}}}}
    )
    train = panel.window.copy()
    train[-10:] = False
    spec = resolve(config.spec, panel, train)
    design = build(spec, panel)
    place = design.groups["demand"]
    assert place.stop - place.start == 2 and place.start == design.groups["controls"].stop
    assert design.cell_columns == (place.stop if geos > 1 else 0)
    size = panel.array("population") if geos > 1 else np.ones(1)
    for k, medium in enumerate((panel.names("channel").index("search"), len(panel.names("channel")))):
        head = (panel.media_exposure[..., medium] / size[:, None]).T
        column = (head - head[train].mean()) / head[train].std()
        np.testing.assert_allclose(design.z[..., place.start + k], column, rtol=1e-9, atol=1e-12)
        assert design.prior_sd[place.start + k] == design.prior_sd[design.groups["controls"].start]


def test_geos_have_trends_of_their_own_where_there_is_a_trend() -> None:
    panel = shop_panel(3)
    for trend, count in (("linear", 2), ("none", 1)):
        spec = resolve(shop_config({"model": {"trend": trend}}).spec, panel)
        _, inputs, design = prepare(spec, panel, np.linspace(0.5, 2.0, panel.window.size))
        assert design.local.shape == (count, panel.window.size) and design.local_sd.shape == (count,)
        np.testing.assert_array_equal(design.local[0], 1.0)
        if count > 1:
            np.testing.assert_array_equal(design.local[1], design.z[:, 0, design.groups["trend"].start])
            np.testing.assert_allclose(
                inputs["local"] + inputs["local_middle"][:, None, :], design.local[:, :, None].repeat(3, 2)
            )
        products = np.einsum("ktg,ltg,tg->klg", inputs["local"], inputs["local"], inputs["w"])
        np.testing.assert_allclose(products[~np.eye(count, dtype=bool)], 0.0, atol=1e-12)
    _, _, design = prepare(resolve(shop_config().spec, shop_panel()), shop_panel())
    assert len(design.local) == 1


def test_an_event_in_one_city_is_an_event_in_that_city_only() -> None:
    panel = shop_panel(3)
    event = panel.array("event")
    event[:2] = 0.0
    design, inputs = built(changed(panel, event=event))
    column = design.z[..., design.groups["events"].start]
    np.testing.assert_array_equal(column, event[..., 0].T)
    train = panel.window.astype(float)
    np.testing.assert_allclose(inputs["zz"], np.einsum("t,tgp,tgq->pq", train, design.z, design.z), rtol=1e-12, atol=1e-12)


def test_the_season_repeats_after_a_year() -> None:
    panel = shop_panel(1, weeks=160)
    design, _ = built(panel)
    season = design.z[:, 0, design.groups["season"]]
    days = (panel.dates - panel.dates[0]).astype(int)
    for pair in (0, 1):
        radius = np.hypot(season[:, pair], season[:, pair + 2])
        np.testing.assert_allclose(radius, 1.0, rtol=1e-12)
        turned = np.unwrap(np.arctan2(season[:, pair], season[:, pair + 2]))
        np.testing.assert_allclose(turned - turned[0], 2 * np.pi * (pair + 1) * days / 365.25, rtol=1e-9, atol=1e-9)
