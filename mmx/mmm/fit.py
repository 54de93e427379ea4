"""Fit a marketing-mix model: resolve, sample, draw the baseline back, judge. A fit is a value."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mmx.data.panel import Floats, Panel
from mmx.infer.gate import Gate, judge, summarise
from mmx.infer.sampling import sample
from mmx.infer.target import Draws, Progress
from mmx.mmm.inputs import prepare
from mmx.mmm.parameters import parameters_of
from mmx.mmm.posterior import Posterior
from mmx.mmm.quantities import Effects, effects, roas_draws, tables
from mmx.mmm.resolve import resolve
from mmx.mmm.structure import Structure
from mmx.mmm.tables import FitTables
from mmx.mmm.target import build, coordinate_names
from mmx.spec import SamplerSettings, Spec


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
    """

    posterior: Posterior
    draws: Draws
    gate: Gate
    seed: int
    decisions: tuple[str, ...]
    seconds: dict[str, float]

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
        The same panel, specification, seed and machine give the same bytes.
    weights : array, (time,), optional
        Row weights; 0 holds a row out. The KPI window by default.
    start : Fit, optional
        An earlier fit of the same shape to start the chains from.
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
    """
    began = time.perf_counter()
    row_weights = panel.window.astype(float) if weights is None else np.asarray(weights, dtype=float) * panel.window
    resolved = resolve(spec, panel, row_weights > 0)
    structure, inputs, _ = prepare(resolved, panel, row_weights)
    target = build(structure, inputs, panel.names("channel") + panel.names("organic"))
    decisions = _silent(resolved, panel)

    def attempt(settings: SamplerSettings, run_seed: int) -> Fit:
        draws = sample(target, settings, seed=run_seed, start=start.draws if start else None, cores=cores, progress=progress)
        posterior = _posterior(resolved, panel, structure, inputs, row_weights, draws, run_seed)
        blank = Gate(False, (), np.nan, np.nan, np.nan, np.nan, 0, 0)
        made = Fit(posterior, draws, blank, seed, tuple(decisions), {})
        return _judged(made)

    made = attempt(resolved.sampler, seed)
    if not made.converged:
        settings = resolved.sampler.model_copy(
            update={"target_accept": resolved.sampler.retry_target_accept, "tune": 2 * resolved.sampler.tune}
        )
        decisions.append(
            f"The gate failed ({'; '.join(made.gate.reasons)}): sampled once more with target acceptance "
            f"{settings.target_accept:g} and {settings.tune} tuning steps."
        )
        if say is not None:
            say(decisions[-1])
        first = made.draws.seconds
        made = attempt(settings, seed)
        spent = {k: first[k] + made.draws.seconds[k] for k in first}
        made = replace(made, draws=replace(made.draws, seconds=spent))
    return replace(made, seconds={**made.draws.seconds, "total": time.perf_counter() - began})


def _judged(made: Fit) -> Fit:
    verdict = judge(_quantities(made), made.draws, made.spec.gate)
    judged = replace(made, gate=verdict)
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


def _silent(spec: Spec, panel: Panel) -> list[str]:
    assert spec.constants is not None
    media = [*spec.channels.items(), *spec.organic.items()]
    return [
        f"{name} has no exposure in the training rows: its effect takes the coefficient prior model.silent_prior."
        for (name, medium), kind in zip(media, spec.constants.kind, strict=True)
        if kind == "coefficient" and medium.priors.kind != "coefficient"
    ]


def _posterior(
    spec: Spec, panel: Panel, structure: Structure, inputs: dict[str, Any], weights: Floats, draws: Draws, seed: int
) -> Posterior:
    params, beta, gamma, geo = parameters_of(structure, inputs, draws.q, seed)
    return Posterior(spec, panel, structure, weights, params, beta, gamma, geo, len(draws.q))
