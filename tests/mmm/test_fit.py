from __future__ import annotations

import numpy as np
import pytest

from mmx.mmm import evaluate_baseline, evaluate_sums
from mmx.mmm.fit import Fit, fit
from mmx.mmm.inputs import prepare
from mmx.mmm.parameters import free_of, parameters_of
from mmx.mmm.posterior import Posterior
from mmx.spec import Spec

from ..panels import changed


def unresolved(made: Fit, **changes: object) -> Spec:
    return made.spec.model_copy(update={"constants": None, **changes})


def bytes_of(posterior: Posterior) -> list[bytes]:
    return [v.tobytes() for v in (*posterior.params.values(), posterior.beta, posterior.gamma, posterior.local)]


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_cores(national_fit: Fit) -> None:
    """And rows outside the window have no weight, whatever the weights say."""
    ones = np.ones(len(national_fit.panel.window))
    again = fit(national_fit.panel, unresolved(national_fit), seed=1, cores=1, weights=ones)
    assert again.draws.q.tobytes() == national_fit.draws.q.tobytes()
    assert bytes_of(again.posterior) == bytes_of(national_fit.posterior)
    assert again.gate == national_fit.gate


def test_a_fit_uses_the_data_it_is_given(national_fit: Fit) -> None:
    """A specification that was resolved before keeps its constants: then the data must show in the draws."""
    panel = national_fit.panel
    other = fit(changed(panel, kpi=panel.array("kpi") * 1.5), national_fit.spec, seed=1)
    assert other.posterior.constants == national_fit.posterior.constants
    assert (other.tables.fitted["mean"] > national_fit.tables.fitted["mean"]).all()


def test_another_unit_of_the_kpi_gives_the_same_roas(national_fit: Fit) -> None:
    """By a power of two, which floating point multiplies without rounding: the draws are the same to the last bit."""
    panel = national_fit.panel
    other = fit(
        changed(panel, kpi=panel.array("kpi") * 1024, unit_value=panel.array("unit_value") / 1024),
        unresolved(national_fit),
        seed=1,
    )
    assert other.draws.q.tobytes() == national_fit.draws.q.tobytes()
    columns = [c for c in other.tables.channels.columns if c != "kind" and not c.startswith("cpa")]
    assert other.tables.channels[columns].equals(national_fit.tables.channels[columns])


def test_a_fold_started_from_the_last_compiles_nothing(national_fit: Fit) -> None:
    compiled = evaluate_baseline.coefficients, evaluate_sums.by_group
    before = [len(function.signatures) for function in compiled]
    weights = national_fit.panel.window * (np.arange(len(national_fit.panel.window)) < 45)
    fold = fit(national_fit.panel, unresolved(national_fit), seed=3, weights=weights, start=national_fit)
    assert fold.posterior.structure == national_fit.posterior.structure
    assert fold.posterior.stop == 45
    assert np.isfinite(fold.draws.stats["lp"]).all()
    assert [len(function.signatures) for function in compiled] == before


def test_it_cannot_start_from_a_fit_of_another_size(national_fit: Fit, geo_fit: Fit) -> None:
    with pytest.raises(ValueError, match=f"{geo_fit.draws.q.shape[2]} parameters and this one {national_fit.draws.q.shape[2]}"):
        fit(national_fit.panel, unresolved(national_fit), seed=1, start=geo_fit)


def test_a_failed_gate_is_tried_once_more_and_said(national_fit: Fit) -> None:
    strict = national_fit.spec.gate.model_copy(update={"min_ess": 1e4})
    said: list[str] = []
    tried = fit(national_fit.panel, unresolved(national_fit, gate=strict), seed=1, say=said.append)
    assert not tried.converged
    assert any("bulk ESS below 10000" in r for r in tried.gate.reasons)
    assert tried.draws.settings["target_accept"] == tried.spec.sampler.retry_target_accept
    assert tried.draws.settings["tune"] == 2 * tried.spec.sampler.tune
    assert said == [d for d in tried.decisions if "sampled once more" in d]
    assert len(said) == 1
    assert national_fit.converged
    assert national_fit.decisions == ()


def test_a_channel_that_follows_demand_knows_less_and_says_so(national_fit: Fit) -> None:
    """What its exposure has in common with the KPI is shared with a column of the baseline: its interval is wider."""
    spec = unresolved(national_fit)
    told = {**spec.channels, "search": spec.channels["search"].model_copy(update={"follows_demand": True})}
    made = fit(national_fit.panel, spec.model_copy(update={"channels": told}), seed=1)
    (said,) = made.decisions
    assert said.startswith("search follows demand") and "no lift test" in said
    assert "demand" in set(made.tables.baseline["component"])
    before, after = (f.tables.channels.set_index("channel").loc["search"] for f in (national_fit, made))
    assert after["roas_q95"] - after["roas_q05"] > 1.1 * (before["roas_q95"] - before["roas_q05"])


def test_parameters_are_rounded_to_single_precision_once(national_fit: Fit, geo_fit: Fit) -> None:
    for made in (national_fit, geo_fit):
        posterior = made.posterior
        for value in (*posterior.params.values(), posterior.beta, posterior.gamma, posterior.local):
            np.testing.assert_array_equal(value.astype(np.float32), value)
        structure, inputs, _ = prepare(posterior.spec, posterior.panel, posterior.weights)
        back = free_of(structure, inputs, posterior.params)
        np.testing.assert_allclose(back, made.draws.q.reshape(back.shape), rtol=2e-5, atol=2e-5)


def test_the_baseline_is_drawn_anew_for_every_draw(national_fit: Fit) -> None:
    """With the sampled parameters held, baseline draws are independent: mean and spread within 4 standard errors."""
    posterior = national_fit.posterior
    structure, inputs, _ = prepare(posterior.spec, posterior.panel, posterior.weights)
    count = 2000
    q = np.repeat(national_fit.draws.q[:1, :1], count, axis=1)
    _, beta, gamma, _ = parameters_of(structure, inputs, q, seed=9)
    assert np.ptp(beta, axis=0).max() == 0
    _, _, other, _ = parameters_of(structure, inputs, q[:, :1000], seed=10)
    assert not np.array_equal(other, gamma[:1000])
    mean, sd = gamma.mean(axis=0), gamma.std(axis=0, ddof=1)
    error = np.hypot(sd / np.sqrt(count), other.std(axis=0, ddof=1) / np.sqrt(1000))
    assert (np.abs(other.mean(axis=0) - mean) < 4 * error).all()
    spread = np.log(other.std(axis=0, ddof=1) / sd)
    assert (np.abs(spread) < 4 * np.sqrt(1 / (2 * count) + 1 / 2000)).all()
    shift = np.array([np.corrcoef(gamma[:-1, j], gamma[1:, j])[0, 1] for j in range(gamma.shape[1])])
    assert (np.abs(shift) < 4 / np.sqrt(count)).all()
