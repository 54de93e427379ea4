"""Settings of a search over parameters, of its verdict, and of pooling what searches of many customers found."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mmx.spec import Frozen, Positive, Share

Engine = Literal["tpe", "nsga2", "nsga3", "cmaes", "gp", "evolution"]
ObjectiveName = Literal["profit", "revenue", "roas", "ctr", "stability", "utilisation"]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
SCALAR_ONLY = ("cmaes",)


class ScreeningSettings(Frozen):
    """Which parameters are searched.

    ``morris``: elementary effects along ``trajectories`` paths; ``pedanova``: what sets the best ``quantile`` of ``samples``
    random vectors apart; ``off``: all. Parameters are kept in the order of their effect until the kept ones have the share
    ``coverage`` of it, at least ``keep[0]`` and at most ``keep[1]`` of them; one without any effect is never searched.
    """

    method: Literal["off", "morris", "pedanova"]
    keep: tuple[Count, Count]
    coverage: Annotated[float, Field(gt=0, le=1)]
    trajectories: Annotated[int, Field(ge=2)]
    samples: Annotated[int, Field(ge=50)]
    quantile: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.keep[0] > self.keep[1]:
            raise ValueError(f"keep must be fewest, most; {list(self.keep)} is the other way round")
        return self


class EvolutionSettings(Frozen):
    """The vectorised search: vectors per generation, share of pairs crossed, distribution indices, mutations per child.

    The front, or ``front`` of its points that lie far apart, and the ``top`` by equal weights are written into the study.
    """

    population: Annotated[int, Field(ge=4, multiple_of=2)]
    crossover: Share
    crossover_eta: Positive
    mutation_eta: Positive
    mutations: Positive
    front: Count
    top: Annotated[int, Field(ge=0)]


class StorageSettings(Frozen):
    """Where a study is kept, and how a worker that died is noticed.

    ``url``: ``auto`` (a journal file of the study's own under ``output.dir``), ``memory`` (gone afterwards), a file (a journal,
    one machine), or ``postgresql://...`` (many machines). A trial of which nothing was heard for ``grace`` seconds is tried
    again, at most ``retries`` times; with a file, a process that is gone is noticed at once. A server that does not answer is
    waited for, at most ``patience`` seconds.
    """

    url: Annotated[str, Field(min_length=1)]
    heartbeat: Annotated[int, Field(ge=1)]
    grace: Annotated[int, Field(ge=2)]
    retries: Annotated[int, Field(ge=0)]
    patience: Positive

    @model_validator(mode="after")
    def _grace(self) -> Self:
        if self.grace < 2 * self.heartbeat:
            raise ValueError(f"grace ({self.grace} s) must be twice the heartbeat ({self.heartbeat} s) at least")
        return self


class VerdictSettings(Frozen):
    """What adopting tuned parameters takes.

    ``mass`` of the interval of winner minus defaults, whose lower end must be above 0; ``overfitting``: the largest probability
    of backtest overfitting; ``blocks``: at most this many blocks of folds are recombined for it.
    """

    mass: Annotated[float, Field(gt=0, lt=1)]
    overfitting: Share
    blocks: Annotated[int, Field(ge=2, le=16, multiple_of=2)]


class BacktestSettings(Frozen):
    """How rules are judged by roll-outs.

    Attributes
    ----------
    folds, horizon : int
        Origins within the days that tuning uses, and days that are rolled from each.
    shortest : int
        Fewest days that a response model is fitted on.
    embargo : int
        Days between tuning's last and the hold-out's first, beside those that attribution needs.
    holdout : float
        Share of all days that tuning never sees.
    draws, judge_draws : int
        Posterior draws, each with luck of its own, of a fold and of the hold-out.
    """

    folds: Annotated[int, Field(ge=2, le=32)]
    horizon: Annotated[int, Field(ge=7, le=92)]
    shortest: Annotated[int, Field(ge=28)]
    embargo: Annotated[int, Field(ge=0)]
    holdout: Annotated[float, Field(gt=0, lt=1)]
    draws: Annotated[int, Field(ge=4)]
    judge_draws: Annotated[int, Field(ge=20)]


class ResponseFitSettings(Frozen):
    """How the response models of folds and hold-out are fitted.

    ``method``: ``laplace`` (quick), ``nuts``, or ``auto``: NUTS for a part whose quick posterior cannot be used. ``draws`` are
    kept, at least as many as roll-outs take; ``proposals`` are the points at which the quick path weighs the scales.
    """

    method: Literal["laplace", "nuts", "auto"]
    draws: Annotated[int, Field(ge=4)]
    proposals: Annotated[int, Field(ge=50)]


class TuneSettings(Frozen):
    """A search.

    ``trials`` are evaluations, of all workers together; ``batch`` vectors are evaluated in one call; ``objectives`` have
    weights (0: recorded only), and are searched as their weighted sum unless ``multi``; ``constraints`` are limits by name,
    handed to the evaluator; ``shown`` of the best trials stand beside the front in tables;
    ``preferences`` choose from the front afterwards, the objectives' weights where they are null.
    """

    backtest: BacktestSettings
    response: ResponseFitSettings
    engine: Engine
    trials: Count
    batch: Count
    workers: Count
    storage: StorageSettings
    screening: ScreeningSettings
    evolution: EvolutionSettings
    objectives: dict[ObjectiveName, Weight]
    multi: bool
    constraints: dict[str, float]
    preferences: dict[ObjectiveName, Weight] | None
    shown: Annotated[int, Field(ge=0)]
    verdict: VerdictSettings

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        positive = [name for name, weight in self.objectives.items() if weight > 0]
        if not positive:
            raise ValueError("objectives: none has a weight above 0; write for example {profit: 1}")
        if self.multi and self.engine in SCALAR_ONLY and len(positive) > 1:
            raise ValueError(f"engine: {self.engine} takes one objective: set multi: false, or engine: nsga2 or evolution")
        if self.preferences is not None and not any(self.preferences.get(name, 0.0) > 0 for name in positive):
            raise ValueError(f"preferences: none of {', '.join(positive)} has a weight above 0")
        if self.workers > 1 and self.engine == "evolution":
            raise ValueError("engine: evolution evaluates whole populations at once: set workers: 1")
        if self.workers > 1 and self.storage.url == "memory":
            raise ValueError("several workers need a study that they share: set storage.url to a file or postgresql://...")
        return self


class OptimumSettings(Frozen):
    """How a customer's optimum is read off its trials.

    ``edge`` of the search in unconstrained coordinates, where trials beyond are moved to; ``share`` of the trials, the best by
    their mean, that the surrogate is fitted to; candidate ``penalties`` of the quadratics; ``processes``: Gaussian processes
    are candidates as well; ``block``: neighbouring folds that are resampled together.
    """

    edge: Positive
    share: Annotated[float, Field(gt=0, le=1)]
    penalties: Annotated[tuple[Positive, ...], Field(min_length=1)]
    processes: bool
    block: Count


class PoolPriors(Frozen):
    """Scales of the hierarchical model's priors, in unconstrained coordinates.

    Standard deviations: ``level`` of what customers have in common, around the defaults; ``slope`` per standardised covariate;
    ``spread``: of the half-normal prior on the standard deviation between customers; ``mix`` of the entries of the triangle
    behind their correlations.
    """

    level: Positive
    slope: Positive
    spread: Positive
    mix: Positive


class CommonSettings(Frozen):
    """Parameters of a pool: those that at least ``share`` of the customers, and two, searched; the ``most`` important."""

    share: Share
    most: Count


class PoolSettings(Frozen):
    """Hierarchical rule parameters over customers: optima, common parameters, priors, a new customer, and the sampler.

    ``mass`` of the intervals that are reported. A new customer's search begins with ``starts`` points of the pool in the folder
    ``source``, and searches the central ``width`` of what the pool expects of each parameter.
    """

    optimum: OptimumSettings
    common: CommonSettings
    priors: PoolPriors
    mass: Annotated[float, Field(gt=0, lt=1)]
    source: str | None
    starts: Count
    width: Annotated[float, Field(gt=0, lt=1)]
    sampler: Literal["numpyro", "nutpie", "pymc"]
    tune: Count
    draws: Count
