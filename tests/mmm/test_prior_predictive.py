from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmx.data.checks import CheckResult
from mmx.mmm.prior_predictive import national_media, prior_draws, prior_predictive
from mmx.mmm.quantities import effects, window_spend
from mmx.mmm.resolve import resolve

from ..panels import changed, shop_config, shop_panel
from .cases import every, other, rich, varying

KINDS = {
    "roas": {"kind": "roas", "family": "lognormal", "median": 1.5, "q90": 3.0},
    "mroas": {"kind": "mroas", "family": "lognormal", "median": 0.8, "q90": 2.0},
    "contribution": {"kind": "contribution", "family": "lognormal", "median": 0.05, "q90": 0.1},
}


def table(result: CheckResult) -> pd.DataFrame:
    assert result.table is not None
    return result.table.set_index(["medium", "of"])


@pytest.mark.parametrize("geos", [1, 3])
def test_the_quantity_that_a_prior_speaks_of_has_that_prior(geos: int) -> None:
    channels = dict(zip(("tv", "search", "social"), ({"priors": prior} for prior in KINDS.values()), strict=True))
    spec, panel = shop_config({"data": {"channels": channels}}).spec, shop_panel(geos)
    found = table(prior_predictive(spec, panel, seed=3))
    for (channel, of), prior in zip(
        (("tv", "ROAS"), ("search", "mROAS"), ("social", "share of KPI")), KINDS.values(), strict=True
    ):
        sd = np.log(prior["q90"] / prior["median"]) / stats.norm.ppf(0.9)
        for name, level in (("q05", 0.05), ("median", 0.5), ("q95", 0.95)):
            expected = prior["median"] * np.exp(sd * stats.norm.ppf(level))
            assert found.loc[(channel, of), name] == pytest.approx(expected, rel=5 * sd * 2.1 / np.sqrt(500))


@pytest.mark.parametrize(
    "case", [every(3), rich(1), varying(3), other("student_t", 1)], ids=["every-geo", "rich", "varying", "student_t"]
)
def test_sums_are_those_of_a_fits_reports(case) -> None:  # type: ignore[no-untyped-def]
    """The same draws through the reports of a posterior."""
    spec, panel = case.oracle.spec, case.oracle.panel
    drawn = prior_draws(resolve(spec, panel), panel, count=500, rng=np.random.default_rng([5, 19]))
    found, made = table(prior_predictive(spec, panel, seed=5)), effects(drawn)
    spend = window_spend(drawn)
    for m, name in enumerate(panel.names("channel")):
        if spend[m] > 0 and panel.target_kind != "index":
            expected = np.quantile(made.inside[:, m] / spend[m], [0.05, 0.5, 0.95])
            np.testing.assert_allclose(found.loc[(name, "ROAS"), ["q05", "median", "q95"]].to_numpy(float), expected, rtol=1e-9)


def test_a_baseline_that_knows_nothing_of_the_kpi_fails() -> None:
    spec, panel = shop_config().spec, shop_panel(1)
    assert prior_predictive(spec, panel, seed=1).passed
    wide = spec.model_copy(
        update={
            "model": spec.model.model_copy(update={"baseline": spec.model.baseline.model_copy(update={"intercept": 2000.0})})
        }
    )
    result = prior_predictive(wide, panel, seed=1)
    assert result.passed is False and "model.baseline" in result.text


def test_a_multiplicative_model_says_how_many_draws_ask_for_more_than_the_kpi() -> None:
    prior = {"kind": "contribution", "family": "lognormal", "median": 0.6, "q90": 1.5}
    spec = shop_config({"model": {"likelihood": "lognormal"}, "data": {"channels": {"tv": {"priors": prior}}}}).spec
    result = prior_predictive(spec, shop_panel(1), seed=1)
    assert "more than the whole KPI" in result.text
    assert np.isfinite(table(result).to_numpy()).all()


def test_priors_that_no_draw_can_meet_are_said_to_be_so() -> None:
    prior = {"kind": "contribution", "family": "lognormal", "median": 50.0, "q90": 60.0}
    spec = shop_config({"model": {"likelihood": "lognormal"}, "data": {"channels": {"tv": {"priors": prior}}}}).spec
    result = prior_predictive(spec, shop_panel(1), seed=1)
    assert result.passed is False and result.table is None and "Every draw" in result.text


def test_media_that_move_alike_in_all_geos_are_flagged() -> None:
    panel = shop_panel(3)
    found = national_media(panel)
    assert found is not None and found.passed
    exposure = panel.array("exposure")
    exposure[:, :, 1] = np.array([1.0, 2.5, 0.3])[:, None] * exposure[0, :, 1]
    flagged = national_media(changed(panel, exposure=exposure))
    assert flagged is not None and flagged.passed is False
    assert panel.names("channel")[1] in flagged.text and panel.names("channel")[0] not in flagged.text.partition("course")[0]
    assert national_media(shop_panel(1)) is None
