"""Training weights instead of slices, a start from an earlier fit: what a fit says and refuses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mmx.data.panel import Panel
from mmx.jax_setup import jax
from mmx.mmm.fit import WARM_ESS, WARM_LEAST, Fit, _next_attempt, _warm, fit
from mmx.mmm.inputs import prepare
from mmx.mmm.resolve import resolve
from mmx.mmm.store import read, save
from mmx.mmm.structure import Structure
from mmx.mmm.target import build, coordinate_names, log_density_of
from mmx.spec import Spec

from ..panels import OPEN_GATE, changed, shop_config, shop_panel

SHORT = {"sampler": {"chains": 2, "tune": 60, "warm_tune": 60, "draws": 60, "max_depth": 5}}


def config_spec(**sampler: object) -> Spec:
    return shop_config(SHORT, {"gate": OPEN_GATE, "sampler": sampler}).spec


@cache
def late_panel() -> Panel:
    """A shop where TV starts after the first folds."""
    panel = shop_panel(weeks=60)
    spend, exposure = panel.array("spend").copy(), panel.array("exposure").copy()
    spend[:, :40, 0] = exposure[:, :40, 0] = 0.0
    return changed(panel, spend=spend, exposure=exposure)


def fold(panel: Panel, stop: int) -> np.ndarray:
    return (panel.window & (np.arange(len(panel.window)) < stop)).astype(float)


def prepared(panel: Panel, spec: Spec, weights: np.ndarray) -> tuple[Structure, dict[str, object]]:
    structure, inputs, _ = prepare(resolve(spec, panel, weights > 0), panel, weights)
    return structure, inputs


def test_folds_share_one_structure_and_one_compiled_density() -> None:
    """A channel that does not act yet, another family of its prior, carry-in from before or not: data, not structure."""
    silent = {"model": {"silent_prior": {"family": "normal", "mean": 0.0, "sd": 0.05}}}
    spec, panel = shop_config(SHORT, silent).spec, late_panel()
    no_history = changed(
        panel, **{name: panel.array(name) * panel.window[:, None] for name in ("spend", "exposure", "organic")}
    )
    cases = [prepared(panel, spec, fold(panel, stop)) for stop in (35, 52)]
    cases.append(prepared(no_history, spec, fold(panel, 52)))
    assert len({structure for structure, _ in cases}) == 1
    assert [structure.kind[0] for structure, _ in cases] == ["coefficient", "roas", "roas"]
    assert [structure.other for structure, _ in cases] == [True, True, False]
    compiled = jax.jit(jax.value_and_grad(log_density_of(cases[0][0])))
    for structure, inputs in cases:
        kernel = build(structure, inputs, [f"m{m}" for m in range(structure.media)]).compiled
        assert kernel is not None
        for q in np.random.default_rng(0).normal(0, 0.5, (3, structure.dim)):
            value, gradient = compiled(q, inputs)
            twin, slope = kernel()(q)
            assert float(value) == pytest.approx(twin, rel=1e-11)
            np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9 * np.abs(slope).max())
    assert compiled._cache_size() == 1


@cache
def folds() -> tuple[Fit, Fit]:
    """The fold before TV starts, and one after that starts from it."""
    panel = late_panel()
    first = fit(panel, config_spec(), seed=1, weights=fold(panel, 35))
    return first, fit(panel, config_spec(), seed=2, weights=fold(panel, 52), start=first)


def test_a_channel_that_does_not_act_yet_is_reported() -> None:
    first, second = folds()
    assert first.decisions == (
        "tv has no exposure in the training rows: its effect takes the coefficient prior model.silent_prior.",
    )
    assert second.decisions == ()
    assert np.isfinite(second.draws.stats["lp"]).all()


def test_the_start_and_the_weights_are_part_of_the_identity() -> None:
    first, second = folds()
    panel = late_panel()
    again = fit(panel, config_spec(), seed=2, weights=fold(panel, 52), start=first)
    assert again.sha256 == second.sha256
    cold = fit(panel, config_spec(), seed=2, weights=fold(panel, 52))
    assert (first.start_sha256, second.start_sha256, cold.start_sha256) == (None, first.sha256, None)
    assert len({first.sha256, second.sha256, cold.sha256}) == 3
    assert cold.weights_sha256 == second.weights_sha256 != first.weights_sha256


def test_a_fit_read_back_starts_the_same_chains(tmp_path: Path) -> None:
    first, second = folds()
    save(first, tmp_path / "first.nc")
    save(second, tmp_path / "second.nc")
    stored = read(tmp_path / "first.nc")
    assert stored.sha256 == first.sha256
    assert read(tmp_path / "second.nc").start_sha256 == first.sha256
    again = fit(late_panel(), config_spec(), seed=2, weights=fold(late_panel(), 52), start=stored)
    assert again.draws.q.tobytes() == second.draws.q.tobytes()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(59), r"weights has shape \(59,\): give one weight per period of the panel, \(60,\)"),
        (np.ones((60, 1)), r"weights has shape \(60, 1\)"),
        (np.r_[np.ones(59), -1.0], r"weights\[59\] is -1: a weight is a number of 0"),
        (np.r_[np.nan, np.ones(59)], r"weights\[0\] is nan"),
        (np.zeros(60), "all rows of the KPI window have weight 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(late_panel(), config_spec(), seed=1, weights=weights)


def test_a_start_with_other_parameters_is_refused() -> None:
    first, _ = folds()
    three = ("tv", "radio", "search")
    other, spec = shop_panel(weeks=60, channels=three), shop_config(SHORT, channels=three).spec
    with pytest.raises(ValueError, match="the earlier fit has another shape"):
        fit(other, spec, seed=1, start=first)
    names = coordinate_names(first.posterior.structure, first.posterior.media)
    renamed = late_panel().data.assign_coords(channel=np.array(["TELE", "radio", "search", "social"], dtype=object))
    media = {"TELE": first.spec.channels["tv"], **{k: v for k, v in first.spec.channels.items() if k != "tv"}}
    spec = config_spec().model_copy(update={"channels": media})
    with pytest.raises(ValueError, match=r"it has effect\[tv\] where this one has effect\[TELE\]"):
        fit(replace(late_panel(), data=renamed), spec, seed=1, start=first)
    assert "effect[tv]" in names


def test_constants_of_rows_where_a_channel_acts_are_refused_where_it_does_not() -> None:
    _, second = folds()
    with pytest.raises(ValueError, match="tv has no exposure in the training rows, but the specification was resolved on rows"):
        fit(late_panel(), second.spec, seed=1, weights=fold(late_panel(), 35))


def test_after_a_failed_gate_the_retry_starts_from_scratch() -> None:
    """As from a start in the wrong place: the second attempt has the normal tuning and no memory of it."""
    first, _ = folds()
    strict = config_spec().model_copy(update={"gate": config_spec().gate.model_copy(update={"min_ess": 1e5})})
    panel, weights = late_panel(), fold(late_panel(), 52)
    tried = fit(panel, strict, seed=2, weights=weights, start=first)
    assert not tried.converged
    assert "sampled once more from scratch with target acceptance" in tried.decisions[-1]
    assert tried.draws.settings["tune"] == 2 * strict.sampler.tune
    retry = {"tune": 2 * strict.sampler.tune, "target_accept": strict.sampler.retry_target_accept}
    open_gate = config_spec().model_copy(update={"sampler": strict.sampler.model_copy(update=retry)})
    scratch = fit(panel, open_gate, seed=2, weights=weights)
    assert tried.draws.q.tobytes() == scratch.draws.q.tobytes()


def test_divergences_alone_are_met_with_smaller_steps_before_starting_from_scratch() -> None:
    _, second = folds()
    settings, earlier = second.spec.sampler, second.draws
    diverged = replace(second.gate, passed=False, reasons=("3 divergent draws, 0 allowed",), divergences=3)
    careful = _next_attempt(replace(second, gate=diverged), settings, settings, earlier)
    assert careful is not None
    assert careful[0] == settings.model_copy(update={"target_accept": settings.retry_target_accept})
    assert careful[1] is earlier
    assert careful[2].startswith("sampled once more from the earlier fit with target acceptance")
    last = _next_attempt(replace(second, gate=diverged), settings, careful[0], earlier)
    assert last is not None
    assert (last[0].tune, last[0].target_accept, last[1]) == (2 * settings.tune, settings.retry_target_accept, None)
    assert _next_attempt(replace(second, gate=diverged), settings, last[0], None) is None
    mixed = replace(diverged, max_rhat=1.05, reasons=("R-hat above 1.01 for 2 of 9 quantities", *diverged.reasons))
    assert _next_attempt(replace(second, gate=mixed), settings, settings, earlier) == last
    wide = replace(diverged, max_rhat=1.2)
    cold = _next_attempt(replace(second, gate=wide), settings, settings, None)
    assert cold is not None
    assert cold[:2] == last[:2]


def test_a_narrow_failure_goes_on_from_its_own_draws() -> None:
    """Its metric is that of all draws; chains that do not agree, far too few draws, or a second failure start from scratch."""
    first, _ = folds()
    settings, limits = first.spec.sampler, first.spec.gate
    short = replace(first.gate, passed=False, reasons=("bulk ESS",), max_rhat=1.01, divergences=0, min_ebfmi=1.0)
    short = replace(short, min_ess_bulk=0.9 * limits.min_ess, min_ess_tail=2 * limits.min_ess)
    on = _next_attempt(replace(first, gate=short), settings, settings, None)
    assert on is not None
    assert (on[0].target_accept, on[0].tune, on[1]) == (settings.target_accept, settings.tune, first.draws)
    assert (on[0].draws, on[0].thin) == (settings.draws, 2)
    assert _next_attempt(replace(first, gate=short), settings, settings, folds()[1].draws) == on
    for share, longer in ((0.55, 4), (0.7, 3), (5.0, 1)):
        other = replace(short, min_ess_bulk=share * limits.min_ess, min_ess_tail=9 * limits.min_ess)
        again = _next_attempt(replace(first, gate=other), settings, settings, None)
        assert again is not None and again[0].thin == longer
    diverged = _next_attempt(replace(first, gate=replace(short, divergences=2)), settings, settings, None)
    assert diverged is not None
    assert (diverged[0].target_accept, diverged[1]) == (settings.retry_target_accept, first.draws)
    for worse in ({"max_rhat": 1.05}, {"min_ess_bulk": 0.4 * limits.min_ess}, {"divergences": 50}, {"min_ebfmi": 0.0}):
        scratch = _next_attempt(replace(first, gate=replace(short, **worse)), settings, settings, None)
        assert scratch is not None
        assert scratch[1] is None
        assert scratch[0].tune == 2 * settings.tune
    after = _next_attempt(replace(first, gate=short), settings, on[0], first.draws)
    assert after is not None
    assert after[1] is None


def test_a_start_takes_the_draws_that_the_gate_needs() -> None:
    """By the effective draws of the earlier fit, with room to spare; not more than asked for, nor too few for R-hat."""
    first, second = folds()
    assert second.draws.q.shape[1] == second.spec.sampler.draws  # Asked for less than the least.
    settings = first.spec.sampler.model_copy(update={"draws": 3000})
    drawn = first.draws.q.shape[0] * first.draws.q.shape[1]
    ess = 0.5 * drawn  # Of the least effective quantity: two draws for each effective one.
    earlier = replace(first, gate=replace(first.gate, passed=True, min_ess_bulk=ess, min_ess_tail=2 * ess))
    for min_ess, warm in ((1000.0, WARM_ESS * 1000 * 2 / settings.chains), (10.0, WARM_LEAST), (1e6, 3000)):
        assert _warm(settings, earlier, min_ess).warm_draws == warm
    failed = replace(earlier, gate=replace(earlier.gate, passed=False))
    assert _warm(settings, failed, 1000.0) == settings
    own = settings.model_copy(update={"warm_draws": 77})
    assert _warm(own, earlier, 1000.0) == own
    panel, weights = late_panel(), fold(late_panel(), 52)
    started = fit(panel, config_spec(warm_draws=77), seed=2, weights=weights, start=first)
    assert started.draws.q.shape[1] == started.draws.settings["draws"] == 77
    assert fit(panel, config_spec(warm_draws=77), seed=2, weights=weights).draws.q.shape[1] == 60


def test_a_narrow_failure_of_few_draws_takes_all_that_were_asked_for() -> None:
    first, second = folds()
    limits = first.spec.gate
    short = replace(first.gate, passed=False, reasons=("bulk ESS",), max_rhat=1.01, divergences=0, min_ebfmi=1.0)
    short = replace(short, min_ess_bulk=0.9 * limits.min_ess, min_ess_tail=2 * limits.min_ess)
    settings = first.spec.sampler.model_copy(update={"draws": 600, "warm_draws": 60})
    on = _next_attempt(replace(first, gate=short), settings, settings, second.draws)
    assert on is not None
    assert (on[0].warm_draws, on[0].draws, on[0].thin) == (None, 600, 1)  # Ten times as many draws as it had.


def test_a_start_from_strongly_different_data_does_not_pass_the_gate_with_too_little_tuning() -> None:
    """And the retry, with the normal tuning, finds the posterior of a fit that never saw those data."""
    panel = shop_panel(weeks=60)
    other = changed(panel, kpi=np.where(panel.window, 3 * panel.array("spend").sum(axis=2) + 0.1 * np.arange(60), np.nan))
    settings = {"chains": 4, "draws": 400, "warm_tune": 20, "tune": 300}
    gate = {"max_rhat": 1.01, "min_ess": 100, "min_ebfmi": 0.2, "max_divergences": 50}
    spec = shop_config({"gate": gate, "sampler": settings}).spec
    wrong = fit(other, spec, seed=1)
    said: list[str] = []
    hasty = spec.model_copy(update={"sampler": spec.sampler.model_copy(update={"draws": 100})})
    recovered = fit(panel, hasty, seed=2, start=wrong, say=said.append)
    assert any("sampled once more from scratch" in sentence for sentence in said)
    right = fit(panel, spec, seed=3)
    a, b = recovered.tables.parameters.set_index("name"), right.tables.parameters.set_index("name")
    error = np.hypot(a["sd"] / np.sqrt(a["ess_bulk"]), b["sd"] / np.sqrt(b["ess_bulk"]))
    assert (np.abs(a["mean"] - b["mean"]) < 5 * error).all()
