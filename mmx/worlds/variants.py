"""Variants of the named worlds: what a seed draws apart from the world's own statement.

``named`` is the world as ``WORLDS`` states it. The other two are for studies of recovery: true ROAS have a median of 0.5,
1.2 or 3, in turn by seed, so that no prior matches the generator. ``inside`` keeps curves and baselines in the model's
default family; ``outside`` draws for each medium a carryover and a saturation that the default model does not have, and a
baseline with changes of level or slope, seasons that are not sinusoidal, holiday spikes and correlated noise.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace

import numpy as np

from mmx.errors import ConfigError
from mmx.worlds.curves import Curve
from mmx.worlds.draws import Rng, lognormal
from mmx.worlds.registry import Irregular, Medium, World

MEDIANS = (0.5, 1.2, 3.0)
QUICK = ("weibull", "weibull_cdf", "two_speed", "binomial", "delayed")
LATE = ("delayed", "weibull")
BENDS = ("exponential", "weibull", "arctan", "log", "root", "logistic", "gompertz", "s_logistic")


@dataclass(frozen=True)
class Variant:
    """One way to draw a world.

    Attributes
    ----------
    about : str
        One sentence, added to the world's.
    medians : tuple of float
        Medians of true ROAS, in turn by seed; empty for the world's own.
    irregular : Irregular or None
        Departures of the baseline and the noise from the default model.
    foreign_curves : bool
        Whether carryover and saturation are drawn from families that the default model does not have.
    """

    about: str
    medians: tuple[float, ...] = MEDIANS
    irregular: Irregular | None = None
    foreign_curves: bool = False


VARIANTS: dict[str, Variant] = {
    "named": Variant("", medians=()),
    "inside": Variant("ROAS have another median with each seed."),
    "outside": Variant(
        "ROAS have another median with each seed; curves, carryover and baseline are not of the model's default family.",
        irregular=Irregular(),
        foreign_curves=True,
    ),
}


def in_variant(world: World, name: str, seed: int) -> World:
    """Return a world as a variant draws it.

    Raises
    ------
    ConfigError
        If there is no such variant; the nearest name is offered.
    """
    if name not in VARIANTS:
        near = difflib.get_close_matches(name, VARIANTS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(VARIANTS)}."
        raise ConfigError(f"there is no variant {name!r}. {hint}")
    variant = VARIANTS[name]
    if variant.medians:
        world = replace(world, roas=(variant.medians[seed % len(variant.medians)], world.roas[1]))
    if variant.irregular is not None:
        world = replace(world, baseline=replace(world.baseline, irregular=variant.irregular))
    return replace(world, about=f"{world.about} {variant.about}".strip(), foreign_curves=variant.foreign_curves)


def departures(world: World, curves: tuple[Curve, ...]) -> tuple[str, ...]:
    """Return what lies outside the model's default family: of ``carryover``, ``saturation``, ``baseline``, ``noise``."""
    found = {
        "carryover": any(c.adstock != "geometric" for c in curves),
        "saturation": any(c.saturation != "hill" for c in curves),
        "baseline": world.baseline.irregular is not None,
        "noise": world.noise.dof is not None or world.baseline.irregular is not None,
    }
    return tuple(name for name, is_so in found.items() if is_so)


def foreign_curve(rng: Rng, medium: Medium) -> Curve:
    """Draw a response curve from the families that the default model does not have.

    The mean lag is about that of the medium's own geometric adstock; where the medium's effect is delayed, the family has
    a late peak.
    """
    retention = float(rng.uniform(*medium.alpha))
    late = medium.adstock == "delayed"
    adstock = str(rng.choice(LATE if late else QUICK))
    saturation = str(rng.choice(BENDS))
    lag = retention / (1 - retention)
    delay = float(rng.uniform(*medium.delay)) if late else float(rng.uniform(0.5, 1 + min(lag, 2.0)))
    peak = float(rng.uniform(1.8, 3.0) if late else rng.uniform(1.2, 2.2) if adstock == "weibull" else rng.uniform(0.7, 1.8))
    window = 9 if adstock == "binomial" else 13
    foot = float(rng.uniform(1.5, 3.0))
    middle = math.log(foot / math.log(2)) if saturation == "gompertz" else foot
    return Curve(
        adstock=adstock,
        saturation=saturation,
        alpha=_retention(adstock, retention, lag, window, late=late),
        delay=delay,
        window=window,
        half_saturation=lognormal(rng, (1.0, 0.35), 0.4, 3.0),
        slope=lognormal(rng, (1.4, 0.25), 0.8, 2.5),
        lam=lognormal(rng, (1.2, 0.3), 0.4, 4.0),
        alpha_slow=float(rng.uniform(0.75, 0.92)),
        slow=float(rng.uniform(0.15, 0.4)),
        peak=peak,
        spread=_spread(peak, mode=delay + 0.5) if late else (lag + 0.5) / math.gamma(1 + 1 / peak),
        power=float(rng.uniform(0.35, 0.75)),
        steepness=middle * float(rng.uniform(0.85, 1.25)),
        foot=foot,
    )


def _spread(peak: float, *, mode: float) -> float:
    """Return the scale of a Weibull with a shape above 1 whose density is highest at ``mode``."""
    return mode / math.pow((peak - 1) / peak, 1 / peak)


def _retention(adstock: str, retention: float, lag: float, window: int, *, late: bool) -> float:
    """Return alpha of a family whose mean lag is about ``lag``; late media keep their own."""
    if adstock == "binomial":
        return float(np.clip(1 / max(window / (lag + 0.5) - 1, 1.0), 0.05, 0.9))
    if adstock == "two_speed":
        return 0.6 * retention
    return retention if late else 0.3 + 0.6 * retention
