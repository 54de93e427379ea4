"""Candidate experiments: what they would measure, how well, and where; and what they are worth to a real fit."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import lognorm, nbinom, ncx2, t

from mmx.decide import next_test
from mmx.decide.designs import Z95, Design, candidates, exposure, thinned, treated_geos
from mmx.decide.fit_response import response_of
from mmx.decide.problem import Problem, total_row
from mmx.decide.readout import _summed, forecast, mean_kpi, noise_variance, read_out_variance
from mmx.information_settings import InformationSettings
from mmx.mmm import lift_predictive, predict
from mmx.mmm.levels import levels
from mmx.mmm.structure import structure_of
from mmx.spec import LiftTest

from ..mmm.draws import posterior_of
from ..panels import PLANNED, changed

SETTINGS = InformationSettings(
    changes=(-1.0, 0.5),
    periods=(2, PLANNED),
    geo_shares=(0.34, 1.0),
    inflation=1.5,
    draws=200,
    results=50,
    widest=1.0,
    gone=0.1,
)


def as_evidence(posterior, design, panel):
    """The same test as evidence on the planned rows of a panel in which it has happened, and the posterior that predicts it."""
    dates = panel.dates[posterior.stop : posterior.stop + design.periods]
    more = design.change * (1 if design.change == -1 else 1 / (1 + design.change))
    spent = panel.array("spend")[:, :, posterior.panel.names("channel").index(design.channel)].T[
        posterior.stop : posterior.stop + design.periods
    ]
    treated = [not design.geos or geo in design.geos for geo in panel.names("geo")]
    test = LiftTest(
        test="planned",
        channel=design.channel,
        start=dates[0].astype(dt.date),
        end=dates[-1].astype(dt.date),
        geos=design.geos,
        metric="roas",
        value=1.0,
        se=1.0,
        delta_spend=None if design.change == -1 else float(more * spent[:, treated].sum()),
    )
    spec = posterior.spec.model_copy(update={"lift_tests": (test,)})
    sizes = {
        name: getattr(posterior.structure, name) for name in ("geos", "times", "columns", "other", "own_columns", "groups")
    }
    structure = structure_of(
        spec,
        **sizes,
        signed=posterior.structure.signed,
        sparse=posterior.structure.sparse,
        frequency=panel.names("frequency"),
    )
    return replace(posterior, spec=spec, panel=panel, structure=structure)


@pytest.mark.parametrize(("name", "geos"), [("every", 1), ("rich", 3), ("varying", 1), ("grouped", 4)])
def test_a_design_has_the_lift_that_the_likelihood_of_lift_tests_predicts(name, geos):
    posterior = posterior_of(name, geos)
    reference, panel = posterior.reference(PLANNED, "planned"), posterior.panel
    designs = candidates(posterior, reference, SETTINGS)
    spends = reference.spend.sum(axis=(0, 1)) > 0
    assert {d.channel for d in designs} == {name for name, some in zip(panel.names("channel"), spends, strict=True) if some}
    assert {d.change for d in designs} == {-1.0, 0.5}
    assert geos == 1 or any(d.geos for d in designs)
    checked = [d for d in designs if d.channel not in panel.names("frequency")]
    for design in checked[:: 1 if geos == 1 else 3]:
        c, window = (
            posterior.panel.names("channel").index(design.channel),
            slice(posterior.stop, posterior.stop + design.periods),
        )
        happened = panel
        if design.change > 0:  # The table of a test that was run shows the spend with it.
            spend, bought = panel.array("spend"), panel.array("exposure")
            for g, geo in enumerate(panel.names("geo")):
                if not design.geos or geo in design.geos:
                    spend[g, window, c] *= 1 + design.change
                    bought[g, window, c] *= 1 + design.change
            happened = changed(panel, spend=spend, exposure=bought)
        same = as_evidence(posterior, design, happened)
        roas = lift_predictive.predicted(same)[:, 0]
        # The root of what rounding leaves of a dark period's exposure is larger than that.
        rtol = 1e-6 if "_root_" in design.channel else 1e-9
        np.testing.assert_allclose(design.lift / design.delta_spend, roas, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize(("name", "geos"), [("lognormal", 1), ("counts", 3)])
def test_in_a_multiplicative_model_the_lift_is_a_share_of_the_usual_kpi(name, geos):
    posterior = posterior_of(name, geos)
    reference = posterior.reference(3)
    design = candidates(posterior, reference, SETTINGS)[-1]
    c, stop = posterior.panel.names("channel").index(design.channel), posterior.stop
    x = exposure(posterior, reference)
    more, total = x.copy(), np.zeros(posterior.samples)
    more[stop : stop + design.periods, :, c] *= 1 + design.change
    for g, geo in enumerate(posterior.panel.names("geo")):
        if not design.geos or geo in design.geos:
            at = slice(g, g + 1)
            with_test, without = (
                levels(posterior.structure, posterior.params, posterior.beta[:, at], part[:, at], np.ones((len(x), 1)), stop)
                for part in (more, x)
            )
            kpi = posterior.panel.array("kpi")[g, np.flatnonzero(posterior.window)[-3:]].mean()
            worth = kpi * posterior.panel.array("unit_value")[g, stop - 3 : stop].mean()
            total += worth * np.expm1((with_test - without)[:, : design.periods, c]).sum(axis=1)
    np.testing.assert_allclose(design.lift, total, rtol=1e-9)


def test_the_effect_is_what_the_plan_loses_by_the_test():
    posterior = posterior_of("every", 3)
    reference = posterior.reference(PLANNED)
    for design in candidates(posterior, reference, SETTINGS)[::5]:
        spend, c = reference.spend.copy(), posterior.panel.names("channel").index(design.channel)
        for g, geo in enumerate(reference.geos):
            if not design.geos or geo in design.geos:
                spend[: design.periods, g, c] *= 1 + design.change
        gained = (posterior.response(spend) - posterior.response(reference.spend))[:, c]
        np.testing.assert_allclose(design.effect, gained, rtol=1e-8, atol=1e-8 * np.abs(gained).max())
        assert design.delta_spend == pytest.approx((spend - reference.spend).sum(), rel=1e-12)


def test_power_is_that_of_a_two_sided_test_of_ten_percent():
    lift = np.random.default_rng(0).normal(3.0, 2.0, 400)
    design = Design("tv", "dark for 2 periods", 2, (), -1.0, -10.0, lift, lift, 1.5)
    assert design.power == pytest.approx(ncx2.sf(Z95**2, 1, (lift / 1.5) ** 2).mean(), rel=1e-10)
    assert replace(design, se=1e6).power == pytest.approx(0.1, abs=1e-4)
    assert replace(design, lift=np.full(5, 30.0)).power == pytest.approx(1.0)
    assert design.roas_se == pytest.approx(0.15)
    assert design.width == pytest.approx(2 * Z95 * 0.15)
    assert design.known_width == pytest.approx(np.ptp(np.quantile(lift, [0.05, 0.95])) / 10)


def test_treated_geos_are_like_the_others():
    rng = np.random.default_rng(1)
    spend = rng.lognormal(0.0, 1.0, (4, 24, 3)) * rng.lognormal(0.0, 0.7, (1, 24, 1))
    spend[:, :10, 2] = 0.0
    reference = SimpleNamespace(spend=spend)
    for share in (0.33, 0.5):
        chosen = treated_geos(reference, 4, share)
        np.testing.assert_array_equal(chosen, treated_geos(reference, 4, share))
        assert (chosen.sum(axis=0) == round(share * 24)).all() or share == 0.5
        ratio = spend.sum(axis=0)[:, 0][chosen[:, 0]].mean() / spend.sum(axis=0)[:, 0].mean()
        assert 0.7 < ratio < 1.4
    assert not chosen[:10, 2].any()  # Where nothing is spent, nothing is tested.
    assert treated_geos(reference, 4, 1.0)[:, 0].all()
    few = SimpleNamespace(spend=spend[:, :2])
    assert not treated_geos(few, 4, 0.5).any()  # A comparison needs two others.


def test_geos_are_read_against_the_others_scaled_to_their_size():
    posterior = posterior_of("plain", 3)
    reference, treated = posterior.reference(4), np.array([False, True, False])
    noise = noise_variance(posterior, 4)
    np.testing.assert_allclose(noise, posterior.size**2 * (posterior.params["noise"][:, 0] ** 2).mean(), rtol=1e-6)
    worth = (reference.money[0] / posterior.size) ** 2
    v, size = noise * worth, reference.money[0]
    scale = (size[1] / (size[0] + size[2])) ** 2
    before = posterior.window.sum()
    expected = 4 * (1 + 4 / before) * (v[1] + scale * (v[0] + v[2]))
    assert read_out_variance(posterior, reference, 4, treated) == pytest.approx(expected, rel=1e-9)


def test_everywhere_the_test_is_read_against_the_forecast():
    posterior = posterior_of("plain", 1)
    reference = posterior.reference(PLANNED, "planned")
    rows = np.arange(posterior.stop, posterior.stop + PLANNED)
    level = predict.level(posterior, 0, predict.whole_exposure(posterior), rows)
    money = predict.expected(posterior, level.T, 0).T @ posterior.panel.array("unit_value")[0, rows]
    np.testing.assert_allclose(forecast(posterior, reference, PLANNED), money, rtol=1e-9)
    noise = PLANNED * noise_variance(posterior, PLANNED)[0]
    found = read_out_variance(posterior, reference, PLANNED, np.array([True]))
    assert found == pytest.approx(noise + money.var(), rel=1e-9)


@pytest.mark.parametrize("name", ["every", "varying"])
def test_rows_that_the_table_lacks_are_those_of_the_reference(name):
    posterior = posterior_of(name, 3)
    panel, stop = posterior.panel, posterior.stop
    data = {}
    for variable in panel.data.data_vars:
        values = np.array(panel.data[variable].values)
        if "time" in panel.data[variable].dims and variable != "window":
            axis = panel.data[variable].dims.index("time")
            moved = np.moveaxis(values, axis, 0)
            moved[stop : stop + PLANNED] = moved[stop - PLANNED : stop]
        data[str(variable)] = values
    told = replace(posterior, panel=changed(panel, **data))
    short = replace(
        posterior,
        panel=replace(panel, data=panel.data.isel(time=slice(0, stop))),
        weights=posterior.weights[:stop],
    )
    known = forecast(told, told.reference(PLANNED, "planned"), PLANNED)
    found = forecast(short, short.reference(PLANNED), PLANNED)
    np.testing.assert_allclose(found, known, rtol=1e-9)


def test_autocorrelated_noise_adds_up_to_more():
    rho, n = 0.6, 5
    fake = SimpleNamespace(structure=SimpleNamespace(autocorrelated=True), params={"autocorrelation": np.array([[rho]])})
    lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    assert _summed(fake, n) == pytest.approx((rho**lag).sum(), rel=1e-12)


@pytest.mark.parametrize(("name", "geos"), [("student_t", 1), ("lognormal", 1), ("counts", 3)])
def test_the_noise_is_that_of_each_likelihood(name, geos):
    posterior = posterior_of(name, geos)
    found, kpi = noise_variance(posterior, 5), mean_kpi(posterior, 5)
    assert kpi.shape == (geos,)
    for g in range(geos):
        sd = predict.noise(posterior, g).astype(float)
        if name == "lognormal":
            own = lognorm(sd, scale=kpi[g] * np.exp(-0.5 * sd**2)).var()
        elif name == "counts":
            own = nbinom(sd**-2, 1 / (1 + kpi[g] * sd**2)).var()
        else:
            degrees = posterior.params["degrees"][:, 0].astype(float)
            own = (posterior.size[g] * sd) ** 2 * np.median(t(degrees).var())
        assert found[g] == pytest.approx(own.mean(), rel=1e-9)


@pytest.fixture(scope="module")
def asked(national_fit, geo_fit):
    """Both fits with a budget question and the tests that are worth something to it."""
    found = {}
    for name, made in (("national", national_fit), ("geo", geo_fit)):
        response = response_of(made.posterior, made.posterior.reference(6))
        current = response.current
        problem = Problem(response.names, current, 0.5 * current, 2 * current, (total_row(4, float(current.sum())),))
        money = current * np.array([1.2, 0.9, 1.0, 1.0])
        money[3] += current.sum() - money.sum()
        said: list[str] = []
        settings = SETTINGS.model_copy(update={"periods": (3, 6, 9)})
        tests = next_test.tests_worth(made, problem, response, money, settings=settings, seed=4, say=said.append)
        again = next_test.tests_worth(made.posterior, problem, response, money, settings=settings, seed=4)
        found[name] = (made, problem, response, money, settings, tests, again, said)
    return found


@pytest.mark.parametrize("name", ["national", "geo"])
def test_tests_of_a_fit_are_valued_and_ranked(asked, name):
    made, _, response, _, settings, tests, again, said = asked[name]
    assert tests == again
    assert [test.information for test in tests] == sorted((test.information for test in tests), reverse=True)
    places = 1 if name == "national" else 2
    assert len(tests) == 4 * 2 * 2 * places  # Nine periods are more than the horizon has.
    assert any("Tests of 9 periods are left out: the horizon has 6" in sentence for sentence in said)
    whole = response.values.reference
    for test in tests:
        c = whole.channels.index(test.channel)
        geos = [g for g, geo in enumerate(whole.geos) if not test.geos or geo in test.geos]
        spend = whole.spend[: test.periods, geos, c].sum()
        assert test.delta_spend == pytest.approx(test.change * spend, rel=1e-9)
        assert test.information > -4 * test.information_error
        assert 0 <= test.power <= 1
        assert 0 <= test.changes_largest_move <= 1
        assert test.se > 0
        assert test.width > 0
        planned = whole.spend.copy()
        planned[: test.periods, geos, c] *= 1 + test.change
        some = np.linspace(0, made.posterior.samples - 1, min(200, made.posterior.samples)).astype(int)
        changed_value = (made.posterior.response(planned, some) - made.posterior.response(whole.spend, some))[:, c].mean()
        assert test.cost == pytest.approx(-changed_value + test.delta_spend, rel=1e-6)
    wide = sum(bool(next_test.caution(test, settings)) for test in tests)
    assert any(f"{wide} of {len(tests)} tests" in sentence for sentence in said) == (wide > 0)


def test_profit_counts_kpi_money_at_its_margin(asked):
    made, problem, response, money, settings, tests, *_ = asked["geo"]
    halved = replace(problem, margin=0.5, cost=1.0)
    found = next_test.tests_worth(made, halved, response, money, settings=settings, seed=4)
    plain = {(test.channel, test.design): test for test in tests}
    for test in found:
        twin = plain[test.channel, test.design]
        assert test.information == pytest.approx(0.5 * twin.information, rel=1e-6, abs=1e-9)  # The total is fixed.
        assert test.cost == pytest.approx(0.5 * (twin.cost - twin.delta_spend) + twin.delta_spend, rel=1e-9)
        assert (test.se, test.power, test.width) == (twin.se, twin.power, twin.width)


def test_draws_of_the_response_and_the_posterior_must_match(asked):
    made, problem, response, money, settings, *_ = asked["national"]
    few = response_of(made.posterior, made.posterior.reference(6), draws=np.arange(0, made.posterior.samples, 2))
    next_test.tests_worth(made, problem, few, money, settings=settings, seed=4)
    plain = SimpleNamespace(samples=few.samples, blocks=few.blocks, value=few.value, thinned=few.thinned)
    with pytest.raises(ValueError, match=r"the response has \d+ draws and the posterior \d+"):
        next_test.tests_worth(made, problem, plain, money, settings=settings, seed=4)
    with pytest.raises(ValueError, match="Give the channel of each cell"):
        next_test.tests_worth(
            made,
            replace(problem, cells=("a",), current=[1], low=[1], high=[1], rows=()),
            response,
            money[:1],
            settings=settings,
            seed=4,
        )


def test_thinning_keeps_the_draws(asked):
    posterior = asked["geo"][0].posterior
    some = np.array([3, 11, 40])
    few = thinned(posterior, some)
    spend = posterior.reference(4).spend
    np.testing.assert_allclose(few.response(spend)[:, 0], posterior.response(spend, some)[:, 0], rtol=1e-9)


def test_settings_refuse_a_test_that_moves_nothing():
    with pytest.raises(ValueError, match="changes holds 0"):
        InformationSettings(**{**SETTINGS.model_dump(), "changes": (0.0, -1.0)})
