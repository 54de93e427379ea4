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


def live_coordinates(structure: Structure, adsets: int, campaigns: int) -> np.ndarray:
    """Places of coordinates that data can reach: those of padded ad sets and campaigns are draws from the prior."""
    owned, kept = {name for name, _, _ in structure.own}, []
    for name, place in structure.slices.items():
        size = place.stop - place.start
        real = campaigns if name == "campaign" else adsets * (size // structure.adsets) if name in owned else size
        kept.append(place.start + np.arange(real))
    return np.concatenate(kept)
