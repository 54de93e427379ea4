"""Fit the response model of an account: each part by the quick path or by NUTS, judged by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmx.data.ads.history import AccountHistory
from mmx.infer.gate import Gate, judge, summarise
from mmx.infer.sampling import sample as sample_target
from mmx.infer.target import Draws
from mmx.rules.response import laplace
from mmx.rules.response.data import Constants, Prepared, Shape, prepare
from mmx.rules.response.draws import Floats, Population, assemble, with_new
from mmx.rules.response.identify import Identification, identify
from mmx.rules.response.settings import Method, ResponseSettings
from mmx.rules.response.simulate import Carry, Draw
from mmx.rules.response.target import build, live_coordinates

NORMAL_DRAWS = 4000  # Behind the metric that NUTS starts from.


@dataclass(frozen=True)
class PartVerdict:
    """How one part was fitted and whether its posterior may be used.

    Attributes
    ----------
    part : str
    method : {"laplace", "nuts"}
    passed : bool
    reasons : tuple of str
        What failed.
    khat, effective : float
        Pareto k of the quick path's weights, and their effective number.
    gate : Gate or None
        Of NUTS.
    """

    part: str
    method: str
    passed: bool
    reasons: tuple[str, ...]
    khat: float
    effective: float
    gate: Gate | None


@dataclass(frozen=True)
class ResponseFit:
    """A fitted response model.

    Attributes
    ----------
    adsets, campaigns : tuple of str
    draw : Draw
        Parameters, draws last; see ``simulate``.
    carry : Carry
        State after the last day, draws last.
    common : dict
        What ad sets have in common, by part; see ``draws.population``.
    verdicts : tuple of PartVerdict
        Of the five parts.
    identification : Identification
        What the data say of each elasticity.
    constants : Constants
        Of the padded ad sets.
    starts : dict of array
        Scales by part that a fit of similar data may begin with.
    """

    adsets: tuple[str, ...]
    campaigns: tuple[str, ...]
    draw: Draw
    carry: Carry
    common: Population
    verdicts: tuple[PartVerdict, ...]
    identification: Identification
    constants: Constants
    starts: dict[str, Floats]

    @property
    def draws(self) -> int:
        """Number of posterior draws."""
        return int(self.draw.log_cap.shape[0])

    @property
    def passed(self) -> bool:
        """Whether every part's posterior may be used."""
        return all(verdict.passed for verdict in self.verdicts)

    @property
    def budget(self) -> Floats:
        """Last budget of each ad set, currency per day, (ad set,)."""
        return self.constants.budget[: len(self.adsets)]

    def with_new(self, campaigns: Sequence[int | None], budget: Floats, *, seed: int) -> tuple[Draw, Carry]:
        """Parameters and state with ad sets that the history does not know; see ``draws.with_new``."""
        return with_new(self.draw, self.carry, self.common, campaigns, budget, seed)


def fit(
    history: AccountHistory,
    settings: ResponseSettings,
    *,
    seed: int,
    shape: Shape | None = None,
    use: npt.NDArray[np.bool_] | None = None,
    start: ResponseFit | None = None,
) -> ResponseFit:
    """Fit the response model to an account's history.

    Parameters
    ----------
    history : AccountHistory
        Its last day is the day before the next decision. A fold is ``history.until(day)``.
    settings : ResponseSettings
    seed : int
    shape : tuple of int, optional
        Padded days, ad sets, campaigns; folds with one shape share compiled code. See ``data.padded_shape``.
    use : array of bool, (day, ad set), optional
        Cells that may be fitted on.
    start : ResponseFit, optional
        Of similar data, such as the fold before: the search over scales begins there.

    Returns
    -------
    ResponseFit

    Raises
    ------
    DataError
        If the history has too few days with budget and spend.
    """
    prepared = prepare(history, settings, shape, use)
    size = (len(history.adsets), len(history.campaigns))
    q, verdicts, starts = {}, [], {}
    for number, name in enumerate(prepared.structures):
        before = None if start is None else start.starts.get(name)
        q[name], verdict, starts[name] = _fit_part(prepared, name, settings, seed + 7919 * number, before, size)
        verdicts.append(verdict)
    draw, carry, common = assemble(prepared, q, settings, size[0])
    return ResponseFit(
        adsets=history.adsets,
        campaigns=history.campaigns,
        draw=draw,
        carry=carry,
        common=common,
        verdicts=tuple(verdicts),
        identification=identify(prepared.constants, draw.slope, settings, history.adsets),
        constants=prepared.constants,
        starts=starts,
    )


def _fit_part(
    prepared: Prepared, name: str, settings: ResponseSettings, seed: int, before: Floats | None, size: tuple[int, int]
) -> tuple[Floats, PartVerdict, Floats]:
    structure, inputs = prepared.structures[name], prepared.inputs[name]
    quick = laplace.sample(structure, inputs, settings.draws, settings.proposals, seed, before)
    reasons = []
    if not quick.converged:
        reasons.append("the search over scales did not end at a maximum")
    if not quick.khat <= settings.max_khat and quick.effective < settings.least_effective * quick.points:
        reasons.append(
            f"Pareto k of the weights over scales is {quick.khat:.2f}, above {settings.max_khat:g}, "
            f"and {quick.effective:.0f} of {quick.points} points are effective"
        )
    method: Method = settings.method
    if method == "laplace" or (method == "auto" and not reasons):
        verdict = PartVerdict(name, "laplace", not reasons, tuple(reasons), quick.khat, quick.effective, None)
        return quick.q, verdict, quick.top.theta
    normal = laplace.normal_draws(structure, inputs, quick.top, NORMAL_DRAWS, seed)
    guess = Draws(q=normal.reshape(4, -1, structure.dim), stats={}, seconds={}, sampler="laplace", settings={})
    target = build(structure, inputs)
    drawn = sample_target(target, settings.sampler, seed=seed, start=guess)
    live = live_coordinates(structure, *size)
    table = summarise({target.names[i]: drawn.q[:, :, i] for i in live})
    gate = judge(table, drawn, settings.gate)
    flat = drawn.q.reshape(-1, structure.dim)
    chosen = np.random.default_rng([seed % 2**32, 43]).choice(len(flat), settings.draws, replace=len(flat) < settings.draws)
    verdict = PartVerdict(name, "nuts", gate.passed, gate.reasons, quick.khat, quick.effective, gate)
    return flat[chosen], verdict, quick.top.theta
