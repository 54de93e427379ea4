"""What the parameters mean, on draws of the prior: national ROAS, silent channels, and parts that add up draw by draw."""

from __future__ import annotations

import numpy as np
import pytest

from mmx.data.panel import Panel
from mmx.mmm import density, design, parameters
from mmx.mmm.fit import Fit, fit
from mmx.mmm.parameters import parameters_of, prior_vectors, unsigned
from mmx.mmm.posterior import Posterior
from mmx.mmm.predict import predictive_cells
from mmx.mmm.quantities import effects, roas_draws
from mmx.spec import Spec

from ..panels import CHANNELS, OPEN_GATE, changed, shop_config, shop_panel
from .cases import Case, make

SAMPLES = 300


def from_the_prior(case: Case, seed: int) -> Posterior:
    """Draws of the prior as a posterior, through what every fit goes through."""
    q = prior_vectors(case.structure, case.inputs, SAMPLES, np.random.default_rng(seed))[None]
    found = parameters_of(case.structure, case.inputs, unsigned(case.structure, q), seed)
    return Posterior(case.oracle.spec, case.oracle.panel, case.structure, case.oracle.weights, *found, chains=1)


def uneven(geos: int) -> Panel:
    """Spend that differs widely between geos, none of one channel in one geo, and an exposure bought at changing prices."""
    panel = shop_panel(geos, seed=3, weeks=48)
    spend, exposure = panel.array("spend"), panel.array("exposure")
    factor = np.geomspace(0.05, 20.0, geos)[:, None, None]
    spend, exposure = spend * factor, exposure * factor
    spend[0, :, 2] = exposure[0, :, 2] = 0.0
    return changed(panel, spend=spend, exposure=exposure)


@pytest.fixture(scope="module", params=[2, 3, 7])
def prior(request: pytest.FixtureRequest) -> tuple[Case, Posterior]:
    panel = uneven(request.param)
    case = make(shop_config().spec, panel, panel.window.astype(float))
    return case, from_the_prior(case, seed=51)


def test_the_prior_is_on_the_national_roas(prior: tuple[Case, Posterior], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the geo deviations: of every draw where nothing is rounded, of the middle one where values are stored."""
    case, posterior = prior
    assert case.structure.kind[:4] == ("roas",) * 4
    assert posterior.params["geo_sd"].std() > 0.1
    monkeypatch.setattr(parameters, "_stored", lambda values: values)
    exact = from_the_prior(case, seed=51)
    single = 2.0**-23  # Two roundings: of the parameter, and of the coefficients, beside that of the shapes.
    for draws, error, summary in ((exact, 1e-11, np.max), (posterior, 4 * single, np.median)):
        found = roas_draws(draws, effects(draws))
        for c, name in enumerate(CHANNELS):
            off = np.abs(np.log(found[f"roas[{name}]"][0] / draws.params["effect"][:, c]))
            assert summary(off) < error, (name, summary(off))


def test_geo_deviations_sum_to_zero_by_spend(prior: tuple[Case, Posterior]) -> None:
    """In every draw and channel; where one geo alone has the spend, its effect is the national one."""
    case, posterior = prior
    spend = case.oracle.panel.array("spend")[:, posterior.window].sum(axis=1)
    for draw in range(50):
        params = {name: value[draw] for name, value in posterior.params.items()}
        logs = np.log(np.asarray(density.geo_factors(case.structure, params, case.inputs)))
        np.testing.assert_allclose((spend * logs[:, :4]).sum(axis=0) / spend.sum(axis=0), 0.0, atol=1e-13)
        assert np.ptp(logs, axis=0).min() > 0
        if case.structure.geos == 2:
            assert abs(logs[1, 2]) < 1e-13


@pytest.fixture(scope="module", params=[1, 3])
def silenced(request: pytest.FixtureRequest) -> tuple[Panel, Spec, np.ndarray]:
    """Search spends only before the training rows; a prior of its own for channels without spend."""
    panel = shop_panel(request.param, weeks=44)
    spend, exposure = panel.array("spend"), panel.array("exposure")
    rows = panel.window & (np.arange(44) >= 14)
    spend[:, 14:, 2] = exposure[:, 14:, 2] = 0.0
    model = {"silent_prior": {"family": "lognormal", "median": 0.2, "q90": 0.6}}
    return changed(panel, spend=spend, exposure=exposure), shop_config({"model": model, "gate": OPEN_GATE}).spec, rows


def test_a_channel_without_spend_in_the_training_rows_keeps_the_coefficient_prior(silenced: tuple) -> None:
    """Its carry-in aside, the data say nothing of it: the density moves with its coordinate as the prior does."""
    panel, spec, rows = silenced
    case = make(spec, panel, rows.astype(float))
    assert case.structure.kind[:4] == ("roas", "roas", "coefficient", "roas")
    posterior = from_the_prior(case, seed=52)
    logs = np.log(posterior.params["effect"][:, 2])
    location, sigma = np.log(0.2), np.log(0.6 / 0.2) / 1.2815515655446004
    assert abs(logs.mean() - location) < 4 * sigma / np.sqrt(SAMPLES)
    assert abs(logs.std(ddof=1) / sigma - 1) < 4 / np.sqrt(2 * SAMPLES)
    (q,) = case.points(1, seed=53)
    assert case.density(q)[0] == pytest.approx(case.oracle.log_density(q), rel=1e-9)


def test_a_channel_without_spend_is_reported(silenced: tuple) -> None:
    panel, spec, rows = silenced
    made = fit(panel, spec, seed=54, weights=rows.astype(float))
    said = [d for d in made.decisions if "no exposure in the training rows" in d]
    assert len(said) == 1
    assert said[0].startswith("search ") and "model.silent_prior" in said[0]
    table = made.tables.channels.set_index("channel")
    assert np.isnan(table.loc["search", "roas_mean"])
    assert np.isfinite(table.loc[["tv", "radio", "social"], "roas_mean"].astype(float)).all()
    assert "roas[search]" not in roas_draws(made.posterior, made.effects)


@pytest.mark.parametrize("which", ["national_fit", "geo_fit"])
def test_the_parts_are_the_prediction_in_every_draw_and_period(request: pytest.FixtureRequest, which: str) -> None:
    """Money of every component, medium and carry-in against the predicted KPI's, to 1e-9 relative."""
    made: Fit = request.getfixturevalue(which)
    posterior = made.posterior
    rows = np.flatnonzero(posterior.window)
    money = posterior.money[rows]
    columns = design.build(posterior.spec, posterior.panel)
    predicted = sum(cells * money[:, g] for g, cells in enumerate(predictive_cells(posterior)))
    weighted = np.einsum("tgp,tg->tp", columns.z[rows], money)
    own = np.einsum("skg,kt->stg", posterior.local, columns.local[:, rows])
    baseline = posterior.constants.kpi_center * money.sum(axis=1) + (own * money).sum(axis=2)
    for where in columns.groups.values():
        baseline = baseline + posterior.gamma[:, where] @ weighted[:, where].T
    media = made.effects.by_period[:, rows].sum(axis=2)
    carry_in = made.effects.zero[:, rows].sum(axis=2)
    assert carry_in.max() > 0
    np.testing.assert_allclose(baseline + media + carry_in, predicted, rtol=1e-9)
    np.testing.assert_allclose(made.effects.by_period[:, rows].sum(axis=1), made.effects.inside, rtol=1e-9)
