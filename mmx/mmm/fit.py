"""Fit a marketing-mix model: resolve, sample, draw the baseline back, judge. A fit is a value."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.data.cells import plural
from mmx.data.panel import Floats, Panel
from mmx.infer.gate import UNJUDGED, Gate, judge, summarise
from mmx.infer.sampling import WHITENED, sample
from mmx.infer.target import Draws, Progress
from mmx.mmm.inputs import prepare, prior_arrays
from mmx.mmm.parameters import free_of, parameters_of
from mmx.mmm.posterior import Posterior
from mmx.mmm.quantities import Effects, effects, roas_draws, tables
from mmx.mmm.resolve import resolve
from mmx.mmm.structure import Structure
from mmx.mmm.tables import FitTables
from mmx.mmm.target import build, coordinate_names
from mmx.spec import SamplerSettings, Spec

NARROW_RHAT, NARROW_DIVERGENCES = 1.02, 20  # Up to here a failed gate is narrow: see ``_next_attempt``.
NARROW_TUNE, NARROW_LONGER = 100, 4
WARM_ESS, WARM_LEAST = 1.75, 400  # Times the gate's effective draws, expected of a fit from an earlier one; its least draws.


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes
    ----------
    posterior : Posterior
        Draws of parameters with the specification and the data that they belong to.
    draws : Draws
        Unconstrained draws and sampling statistics; a later fit can start from them.
    gate : Gate
        The verdict on convergence.
    seed : int
    decisions : tuple of str
        What the fit decided on its own: a retry, a channel without spend.
    seconds : dict of float
        ``compile``, ``sample`` and ``total``.
    start_sha256 : str or None
        ``sha256`` of the earlier fit that the chains started from.
    """

    posterior: Posterior
    draws: Draws
    gate: Gate
    seed: int
    decisions: tuple[str, ...]
    seconds: dict[str, float]
    start_sha256: str | None = None

    @cached_property
    def sha256(self) -> str:
        """Digest of specification, data, row weights, seed and stored draws: a fit that is read back has the same."""
        posterior = self.posterior
        digest = hashlib.sha256(f"{posterior.spec.model_dump_json()} {posterior.panel.sha256} {self.seed}".encode())
        digest.update(self.weights_sha256.encode())
        for name in sorted(posterior.params):
            digest.update(name.encode() + posterior.params[name].astype(np.float32).tobytes())
        return digest.hexdigest()

    @property
    def weights_sha256(self) -> str:
        """Digest of the row weights."""
        return hashlib.sha256(np.ascontiguousarray(self.posterior.weights, dtype=np.float64).tobytes()).hexdigest()

    @property
    def converged(self) -> bool:
        """Whether the gate passed."""
        return self.gate.passed

    @property
    def spec(self) -> Spec:
        """The resolved specification."""
        return self.posterior.spec

    @property
    def panel(self) -> Panel:
        """The data."""
        return self.posterior.panel

    @cached_property
    def effects(self) -> Effects:
        """Money of all media per draw and period."""
        return effects(self.posterior)

    @cached_property
    def tables(self) -> FitTables:
        """All reported tables."""
        return tables(self.posterior, self.effects, diagnose(self), seed=self.seed)


def fit(
    panel: Panel,
    spec: Spec,
    *,
    seed: int,
    weights: npt.NDArray[np.float64] | None = None,
    start: Fit | None = None,
    cores: int | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> Fit:
    """Fit a model to a panel.

    Parameters
    ----------
    panel : Panel
        Of ``mmx.load``.
    spec : Spec
        Of ``config.spec``; resolved here on the training rows unless it already is.
    seed : int
        The same panel, specification, seed, weights, start and machine give the same bytes.
    weights : array, (time,), optional
        Row weights, >= 0; 0 holds a row out. The KPI window by default; rows outside it have no weight in any case.
    start : Fit, optional
        An earlier fit with the same parameters, such as that of the fold before. Each chain starts from another one of its
        draws and adapts its step size anew; nutpie takes over its metric and tunes for ``sampler.warm_tune`` steps. Unless
        ``sampler.warm_draws`` says how many, as many draws are taken as its effective draws say that the gate needs. The gate
        is the same; where it fails, and smaller steps do not help against divergences, the retry starts from scratch.
    cores : int, optional
        Chains side by side.
    progress : callable, optional
        Called with finished draws, total draws and divergences.
    say : callable, optional
        Called with a sentence when the fit decides something, such as its one retry.

    Returns
    -------
    Fit
        Also when the gate failed: look at ``fit.converged`` and ``fit.gate.reasons``.

    Raises
    ------
    ValueError
        If the weights do not fit the panel, the earlier fit has other parameters, or the specification was resolved on rows
        where a medium acts that does not act in the training rows.
    """
    began = time.perf_counter()
    row_weights = _row_weights(panel, weights)
    if spec.model.autocorrelation:
        _refuse_gaps(row_weights)
    resolved = resolve(spec, panel, row_weights > 0)
    structure, inputs, _ = prepare(resolved, panel, row_weights)
    target = build(structure, inputs, panel.names("channel") + panel.names("organic"))
    earlier = None if start is None else _start(start, target.names)
    lineage = None if start is None else start.sha256
    silent = [*_silent(resolved, panel, row_weights), *_varying(resolved), *_following(resolved)]

    def attempt(settings: SamplerSettings, earlier: Draws | None) -> Fit:
        draws = sample(target, settings, seed=seed, start=earlier, cores=cores, progress=progress)
        posterior = _posterior(resolved, panel, structure, inputs, row_weights, draws, seed)
        return _judged(Fit(posterior, draws, UNJUDGED, seed, (), {}, lineage))

    settings = resolved.sampler if start is None else _warm(resolved.sampler, start, resolved.gate.min_ess)
    made, told = _until_converged(attempt, settings, earlier, say)
    seconds = {**made.draws.seconds, "total": time.perf_counter() - began}
    return replace(made, decisions=(*silent, *told), seconds=seconds)


def _warm(settings: SamplerSettings, start: Fit, min_ess: float) -> SamplerSettings:
    """Settings of a fit from an earlier one, of whose draws the least effective quantity says how many are needed."""
    if settings.warm_draws is not None or not start.converged:
        return settings
    drawn = start.draws.q.shape[0] * start.draws.q.shape[1] / settings.chains
    needed = int(np.ceil(WARM_ESS * min_ess / start.gate.min_ess * drawn))
    return settings.model_copy(update={"warm_draws": min(settings.draws, max(WARM_LEAST, needed))})


def _until_converged(
    attempt: Callable[[SamplerSettings, Draws | None], Fit],
    settings: SamplerSettings,
    earlier: Draws | None,
    say: Callable[[str], None] | None,
) -> tuple[Fit, list[str]]:
    """Sample, and sample once more where the gate fails; what was decided, in words."""
    made = attempt(settings, earlier)
    told = list(made.draws.notes)
    spent = dict(made.draws.seconds)
    tried = settings
    while not made.converged:
        step = _next_attempt(made, settings, tried, earlier)
        if step is None:
            break
        tried, earlier, how = step
        told.append(f"The gate failed ({'; '.join(made.gate.reasons)}): {how}.")
        if say is not None:
            say(told[-1])
        made = attempt(tried, earlier)
        told += made.draws.notes
        spent = {k: v + made.draws.seconds[k] for k, v in spent.items()}
    judged = replace(made, draws=replace(made.draws, seconds=spent))
    judged.__dict__["effects"] = made.effects
    return judged, told


def _next_attempt(
    made: Fit, settings: SamplerSettings, tried: SamplerSettings, earlier: Draws | None
) -> tuple[SamplerSettings, Draws | None, str] | None:
    """What is tried after a failed gate: more careful sampling from scratch, at the end.

    From an earlier fit, divergences alone are no sign of a wrong start: smaller steps come before starting from scratch.
    A first attempt that failed narrowly otherwise is itself the earlier fit: its metric is that of all its draws, and what it
    needs is more of them, of which as many are kept as were asked for.
    """
    wrong_steps = earlier is not None and made.gate.only_divergences
    if tried == settings and settings.name in WHITENED and _narrow(made) and not wrong_steps:
        tries = settings.retry_target_accept if made.gate.divergences else settings.target_accept
        drawn = made.draws.q.shape[1] / settings.draws
        times = max(1, min(NARROW_LONGER, round(2 * drawn * made.spec.gate.min_ess / made.gate.min_ess)))
        length = f", {times} times as long," if times > 1 else ""
        how = f"sampled once more from these draws{length} with target acceptance {tries:g}"
        longer = {"warm_tune": max(settings.warm_tune, NARROW_TUNE), "warm_draws": None, "thin": times * settings.thin}
        return settings.model_copy(update={"target_accept": tries, **longer}), made.draws, how
    careful = {"name": tried.name, "target_accept": settings.retry_target_accept}
    if wrong_steps and tried.target_accept < settings.retry_target_accept:
        how = f"sampled once more from the earlier fit with target acceptance {settings.retry_target_accept:g}"
        return settings.model_copy(update=careful), earlier, how
    last = settings.model_copy(update={**careful, "tune": 2 * settings.tune})
    if tried == last:
        return None
    where = "" if earlier is None else " from scratch"
    how = f"sampled once more{where} with target acceptance {last.target_accept:g} and {last.tune} tuning steps"
    return last, None, how


def _narrow(made: Fit) -> bool:
    """Whether chains agree, and effective draws or divergences alone fell short, not by far."""
    enough = made.gate.min_ess >= 0.5 * made.spec.gate.min_ess and made.gate.min_ebfmi >= made.spec.gate.min_ebfmi
    return enough and made.gate.max_rhat <= NARROW_RHAT and made.gate.divergences <= NARROW_DIVERGENCES


def _row_weights(panel: Panel, weights: npt.NDArray[np.float64] | None) -> Floats:
    """Row weights of the training rows, (time,)."""
    if weights is None:
        return panel.window.astype(float)
    given = np.asarray(weights, dtype=float)
    if given.shape != panel.window.shape:
        raise ValueError(
            f"weights has shape {given.shape}: give one weight per period of the panel, {panel.window.shape}, "
            "those before the KPI window included"
        )
    if not (np.isfinite(given).all() and (given >= 0).all()):
        row = int(np.flatnonzero(~(np.isfinite(given) & (given >= 0)))[0])
        raise ValueError(f"weights[{row}] is {given[row]:g}: a weight is a number of 0 (held out) or above")
    used: Floats = given * panel.window
    if not used.any():
        raise ValueError("all rows of the KPI window have weight 0: at least one must be used")
    return used


def _refuse_gaps(weights: Floats) -> None:
    """Refuse row weights that the autoregression of the noise cannot step over."""
    used = np.flatnonzero(weights > 0)
    if (weights[used] != 1.0).any() or used[-1] - used[0] + 1 != len(used):
        raise ValueError(
            "with model.autocorrelation the training rows must follow each other with weight 1: noise is passed on from each "
            "period to the next. Hold out rows at the end, or set autocorrelation: false"
        )


def _start(start: Fit, names: tuple[str, ...]) -> Draws:
    """Draws of an earlier fit as they are stored, so that one read back from its file starts the same chains."""
    posterior = start.posterior
    theirs = coordinate_names(posterior.structure, posterior.media)
    if theirs != names:
        if len(theirs) != len(names):
            difference = f"it has {len(theirs)} parameters and this one {len(names)}"
        else:
            difference = next(f"it has {a} where this one has {b}" for a, b in zip(theirs, names, strict=True) if a != b)
        raise ValueError(f"the earlier fit has another shape ({difference}): it cannot start this one")
    stored = free_of(posterior.structure, {"prior": prior_arrays(posterior.spec, posterior.structure)}, posterior.params)
    return replace(start.draws, q=posterior.split_chains(stored))


def _judged(made: Fit) -> Fit:
    judged = replace(made, gate=judge(_quantities(made), made.draws, made.spec.gate))
    judged.__dict__["effects"] = made.effects
    return judged


def _quantities(made: Fit) -> pd.DataFrame:
    """Diagnostics of everything that must have converged: parameters, log density, ROAS and marginal ROAS."""
    draws = roas_draws(made.posterior, made.effects)
    roas = summarise(draws) if draws else None
    parameters = diagnose(made)
    return parameters if roas is None else pd.concat([parameters, roas], ignore_index=True)


def diagnose(made: Fit) -> pd.DataFrame:
    """Diagnostics of all sampled parameters, in their own units, and of the log density."""
    posterior = made.posterior
    names = coordinate_names(posterior.structure, posterior.media)
    columns = np.concatenate([posterior.params[b.name] for b in posterior.structure.blocks], axis=1)
    values = {name: posterior.split_chains(columns[:, i]) for i, name in enumerate(names)}
    return summarise({**values, "log density": made.draws.stats["lp"]})


def _silent(spec: Spec, panel: Panel, weights: Floats) -> list[str]:
    """Media that do not act in the training rows, in words."""
    assert spec.constants is not None
    media = [*spec.channels.items(), *spec.organic.items()]
    acts = (panel.media_exposure[:, weights > 0] > 0).any(axis=(0, 1))
    for (name, _), kind, active in zip(media, spec.constants.kind, acts, strict=True):
        if kind != "coefficient" and not active:
            raise ValueError(
                f"{name} has no exposure in the training rows, but the specification was resolved on rows where it has: "
                "give the specification without its constants (constants=None) to resolve it on the training rows"
            )
    return [
        f"{name} has no exposure in the training rows: its effect takes the coefficient prior model.silent_prior."
        for (name, medium), kind in zip(media, spec.constants.kind, strict=True)
        if kind == "coefficient" and medium.priors.kind != "coefficient"
    ]


def _varying(spec: Spec) -> list[str]:
    """What to know where effectiveness changes over time, in words."""
    media = [*spec.channels.items(), *spec.organic.items()]
    names = [name for name, medium in media if medium.effectiveness != "constant"]
    if not names:
        return []
    return [
        f"The effectiveness of {', '.join(names)} changes over time. Saturation and changing effectiveness can look alike "
        "(Dew, Padilla and Shchetkina, 2024): compare with effectiveness: constant, and trust a change that an experiment "
        "confirms."
    ]


def _following(spec: Spec) -> list[str]:
    """What to know of media that follow demand, in words."""
    names = list(spec.channels) + list(spec.organic)
    told = []
    for place in spec.follows_demand:
        tests = sum(test.channel == names[place] for test in spec.lift_tests)
        known = plural(tests, "lift test") if tests else "its prior and the curve's shape alone: no lift test is a likelihood"
        told.append(
            f"{names[place]} follows demand: what moves with its exposure may be demand instead of its effect, and a column of "
            f"the baseline holds that. What tells the two apart is {known}."
        )
    return told


def _posterior(
    spec: Spec, panel: Panel, structure: Structure, inputs: dict[str, Any], weights: Floats, draws: Draws, seed: int
) -> Posterior:
    params, beta, gamma, geo = parameters_of(structure, inputs, draws.q, seed)
    return Posterior(spec, panel, structure, weights, params, beta, gamma, geo, len(draws.q))
