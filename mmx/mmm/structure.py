"""The static shape of a model: what decides the compiled code, and nothing that is data.

Two panels with the same structure share one compiled density; folds and simulated data sets differ in arrays only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

import numpy as np
import numpy.typing as npt

from mmx.response.registry import ADSTOCKS, SATURATIONS
from mmx.spec import COLLAPSED, SHAPES, Spec

KINDS: dict[str, str] = {str(name): kind for name, kind in SHAPES.items()}  # Of shape parameters.


@dataclass(frozen=True)
class Block:
    """A group of sampled numbers under one name.

    Attributes
    ----------
    name : str
    size : int
    kind : str
        ``effect`` (standard normal, mapped by the media's effect priors), ``lognormal`` and ``normal`` (standard normal,
        mapped), ``degrees`` (standard normal, mapped, above 2), ``beta`` (logit), ``half_normal`` or ``half_cauchy`` (log).
    media : tuple of int
        Media that the numbers belong to, in order; empty where they belong to none.
    """

    name: str
    size: int
    kind: str
    media: tuple[int, ...] = ()


@dataclass(frozen=True)
class Structure:
    """Sizes, families and switches of one model.

    Attributes
    ----------
    groups : int
        Groups of geos, or 0: effects deviate by group, and within groups by geo.
    geos, times, columns, drift_terms : int
        Geos, periods, columns of the baseline design (drift included), and how many of the last ones are drift.
    drift : {"hsgp", "knots", "none"}
        Kind of drift: what the prior standard deviations of its columns are made of.
    likelihood : str
    multiplicative : bool
        Whether media and baseline add up to the logarithm of the expected KPI.
    noises : int
        Number of noise scales: 1, or one per geo.
    autocorrelated : bool
    own_columns : int
        Columns that each geo has a coefficient of its own for.
    signed : int
        Controls whose coefficients have a sign: they are sampled and no columns of the design.
    sparse : tuple of int
        Columns of controls with a sparse prior.
    lift : tuple of int
        Medium of each experiment.
    channels : int
        Paid media; the media after them are organic.
    adstock : tuple of (str, int), (media,)
        Family and window.
    saturation : tuple of str, (media,)
        Saturation family.
    order : tuple of str, (media,)
        ``adstock``: exposure carries over, then saturates. ``saturation``: the reverse. ``frequency``: exposure is reach, which
        carries over after it was multiplied by the saturation of its frequency.
    effectiveness : tuple of int, (media,)
        Curve over time that multiplies the effect of each medium, or -1.
    effectiveness_terms : int
        Basis functions of each curve.
    shared : tuple of int
        Media under one prior on their total.
    effect, kind : tuple of str, (media,)
        Family of the effect prior (``lognormal`` or ``normal``), and meaning of the effect. They depend on which media act
        in the training rows, hence are data: folds that differ in them are equal, and the density reads ``lognormal`` and
        ``direct`` of the inputs instead.
    other : bool
        Whether an effect is counted from other exposure beside the actual one: media act before the training rows, or a prior
        speaks of a marginal ROAS. Data too.
    """

    geos: int
    groups: int
    times: int
    columns: int
    drift_terms: int
    drift: str
    likelihood: str
    multiplicative: bool
    noises: int
    autocorrelated: bool
    own_columns: int
    signed: int
    sparse: tuple[int, ...]
    lift: tuple[int, ...]
    channels: int
    adstock: tuple[tuple[str, int], ...]
    saturation: tuple[str, ...]
    order: tuple[str, ...]
    effectiveness: tuple[int, ...]
    effectiveness_terms: int
    shared: tuple[int, ...]
    effect: tuple[str, ...] = field(compare=False)
    kind: tuple[str, ...] = field(compare=False)
    other: bool = field(compare=False)

    @property
    def media(self) -> int:
        """Number of media, paid and organic."""
        return len(self.adstock)

    @property
    def collapsed(self) -> bool:
        """Whether the baseline is integrated out."""
        return self.likelihood in COLLAPSED

    @property
    def plain(self) -> bool:
        """Whether the baseline is integrated out with one noise for all rows."""
        return self.collapsed and self.noises == 1 and not self.autocorrelated

    @property
    def varies(self) -> bool:
        """Whether the effectiveness of a medium changes over time."""
        return max(self.effectiveness, default=-1) >= 0

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The sampled parameters in their order in the unconstrained vector."""
        own = tuple(m for m in range(self.media) if m not in self.shared)
        blocks = [Block("effect", len(own), "effect", own)] if own else []
        if len(own) < self.media:
            blocks.append(Block("total", 1, "lognormal"))
        if len(own) + 1 < self.media:
            blocks.append(Block("split", self.media - len(own) - 1, "normal"))
        for name, places in self.shape_places.items():
            blocks.append(Block(name, len(places), KINDS[name], tuple(medium for medium, _ in places)))
        blocks.append(Block("noise", self.noises, "half_normal"))
        if self.likelihood == "student_t":
            blocks.append(Block("degrees", 1, "degrees"))
        if self.autocorrelated:
            blocks.append(Block("autocorrelation", 1, "beta"))
        if self.drift_terms:
            blocks.append(Block("drift_sd", 1, "half_normal"))
        if self.drift == "hsgp":
            blocks.append(Block("drift_length", 1, "lognormal"))
        if self.varies:
            curves = max(self.effectiveness) + 1
            blocks += [
                Block("effectiveness_sd", curves, "half_normal"),
                Block("effectiveness_length", 1, "lognormal"),
                Block("effectiveness_z", curves * self.effectiveness_terms, "normal"),
            ]
        if self.signed:
            blocks.append(Block("control", self.signed, "half_normal"))
        if self.sparse:
            blocks += [Block("sparse_local", len(self.sparse), "half_cauchy"), Block("sparse_global", 1, "half_cauchy")]
        if self.geos > 1:
            every = tuple(range(self.media))
            blocks += [
                Block("geo_sd", self.media, "normal", every),  # Signed while sampled: see ``parameters.unsigned``.
                *([Block("group_sd", self.media, "normal", every)] if self.groups else []),
                Block("geo_z", self.media * (self.geos - 1), "normal", every),
            ]
        if not self.collapsed:
            blocks.append(Block("baseline", self.columns, "normal"))
            if self.geos > 1:
                blocks.append(Block("local", self.own_columns * self.geos, "normal"))
        return tuple(blocks)

    @cached_property
    def shape_places(self) -> dict[str, tuple[tuple[int, int], ...]]:
        """Media that have a shape parameter, each with the column that compiled code knows it by.

        Columns 0 and 1 are of the adstock, 2 and 3 of the saturation, in the order of the registry.
        """
        found: dict[str, list[tuple[int, int]]] = {name: [] for name in SHAPES}
        for medium, ((adstock, _), saturation) in enumerate(zip(self.adstock, self.saturation, strict=True)):
            for column, name in enumerate(ADSTOCKS[adstock].parameters):
                found[name].append((medium, column))
            for column, name in enumerate(SATURATIONS[saturation].parameters):
                found[name].append((medium, 2 + column))
        return {name: tuple(places) for name, places in found.items() if places}

    @cached_property
    def often(self) -> dict[int, int]:
        """Place of the frequency of each medium that has one among the arrays of exposure: after all media."""
        return {m: self.media + i for i, m in enumerate(m for m in range(self.media) if self.order[m] == "frequency")}

    @property
    def dim(self) -> int:
        """Length of the unconstrained vector."""
        return sum(b.size for b in self.blocks)

    @property
    def national(self) -> int:
        """Length of the part before the geo deviations, their scales and the baseline's coordinates."""
        return min(self.slices[name].start if name in self.slices else self.dim for name in ("geo_sd", "baseline"))

    @property
    def lognormal(self) -> npt.NDArray[np.bool_]:
        """Which entries of the ``effect`` block are log-normal: what the inputs hold under that name."""
        return np.array([family == "lognormal" for m, family in enumerate(self.effect) if m not in self.shared], dtype=bool)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Place of each block in the unconstrained vector."""
        places, start = {}, 0
        for block in self.blocks:
            places[block.name] = slice(start, start + block.size)
            start += block.size
        return places


def structure_of(
    spec: Spec,
    *,
    geos: int,
    times: int,
    columns: int,
    other: bool,
    own_columns: int = 1,
    groups: int = 0,
    signed: int = 0,
    sparse: tuple[int, ...] = (),
    frequency: tuple[str, ...] = (),
) -> Structure:
    """Static structure of a resolved specification; ``frequency`` names the channels with reach and frequency.

    Raises
    ------
    ValueError
        If the specification has no constants yet.
    """
    if spec.constants is None:
        raise ValueError("the specification is not resolved: call mmx.mmm.resolve.resolve(spec, panel) first")
    media = [*spec.channels.values(), *spec.organic.values()]
    return Structure(
        geos=geos,
        groups=groups,
        times=times,
        columns=columns,
        drift_terms=spec.constants.drift_terms,
        drift="knots" if spec.model.drift == "knots" else "hsgp" if spec.model.drift else "none",
        likelihood=spec.model.likelihood,
        multiplicative=spec.model.likelihood == "lognormal" or spec.model.link == "log",
        noises=geos if spec.model.noise == "geo" else 1,
        autocorrelated=spec.model.autocorrelation,
        own_columns=own_columns,
        signed=signed,
        sparse=sparse,
        lift=tuple(list(spec.channels).index(test.channel) for test in spec.lift_tests),
        channels=len(spec.channels),
        adstock=tuple((m.adstock, m.adstock_window if ADSTOCKS[m.adstock].windowed else 0) for m in media),
        saturation=tuple(m.saturation for m in media),
        order=tuple(
            "frequency" if name in frequency else "adstock" if m.adstock_first else "saturation"
            for name, m in zip([*spec.channels, *spec.organic], media, strict=True)
        ),
        effectiveness=_curves([m.effectiveness for m in media]),
        effectiveness_terms=spec.constants.effectiveness_terms,
        effect=tuple(
            "lognormal" if k == "total" else m.prior_of(k, spec.model).family
            for m, k in zip(media, spec.constants.kind, strict=True)
        ),
        shared=tuple(m for m, kind in enumerate(spec.constants.kind) if kind == "total"),
        kind=spec.constants.kind,
        other=other,
    )


def _curves(kinds: list[str]) -> tuple[int, ...]:
    """Curve of each medium: the first is the shared one, where there is one."""
    following = count(int("shared" in kinds))
    return tuple({"constant": -1, "shared": 0}[kind] if kind != "own" else next(following) for kind in kinds)


TRANSFORMS = {"beta": "logit", "half_normal": "log", "half_cauchy": "log"}


def site_name(block: Block) -> str:
    """Name of the variable that the front ends sample for a block: ``_z`` marks a standard normal behind it."""
    return block.name if block.kind in TRANSFORMS else f"{block.name}_z"
