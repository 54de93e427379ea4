"""A part of the response model as a target for the samplers of ``mmx.infer``."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmx.infer.target import Target
from mmx.rules.response import density
from mmx.rules.response.structure import Structure


def build(structure: Structure, inputs: dict[str, Any]) -> Target:
    """Target of one part and its data."""

    def numpyro_model(arrays: dict[str, Any]) -> None:
        from mmx.rules.response import numpyro_model as front

        front.build(structure)(arrays)

    def pymc_model() -> Any:
        from mmx.rules.response import pymc_model as front

        return front.build(structure, inputs)

    blocks = (*structure.hyper, *structure.shared, *structure.own)
    names = [f"{name}[{i}]" if size > 1 else name for name, size, _ in blocks for i in range(size)]
    return Target(
        dim=structure.dim,
        log_density=density.log_density_of(structure),
        inputs=inputs,
        names=tuple(names),
        numpyro_model=numpyro_model,
        pymc_model=pymc_model,
        compiled=None,
        sites=structure.sites,
    )


def live_coordinates(structure: Structure, adsets: int, campaigns: int, days: int) -> np.ndarray:
    """Places of coordinates that belong to real ad sets, campaigns and days: padded ones are draws from the prior."""
    kept: list[np.ndarray] = [np.arange(structure.hyper_size)]
    real = {"campaign": np.arange(campaigns), "day": np.arange(structure.days - days, structure.days)}
    for name, place in structure.slices.items():
        if place.start < structure.hyper_size:
            continue
        inside = np.arange(place.stop - place.start)
        if name in real:
            inside = real[name]
        elif name in dict((n, 0) for n, _, _ in structure.own):
            inside = inside[: adsets * (len(inside) // structure.adsets)]
        kept.append(place.start + inside)
    return np.concatenate(kept)
