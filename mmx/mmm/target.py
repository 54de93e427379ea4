"""A resolved model as a target for the samplers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from mmx.data.panel import Floats
from mmx.infer.target import Native, Site, Target
from mmx.mmm import density, kernel_codes
from mmx.mmm.parameters import unsigned
from mmx.mmm.structure import TRANSFORMS, Structure, site_name

if TYPE_CHECKING:
    from mmx.jax_setup import jax


@cache
def log_density_of(structure: Structure) -> Callable[[jax.Array, dict[str, Any]], jax.Array]:
    """Return the log density of a structure; the same object for equal structures, so that it compiles once a process."""
    return partial(density.log_density, structure)


def build(structure: Structure, inputs: dict[str, Any], media: Sequence[str]) -> Target:
    """Target of one structure and its data; ``media`` are the labels used in diagnostics."""

    def numpyro_model(arrays: dict[str, Any]) -> None:
        from mmx.mmm import numpyro_model as front

        front.build(structure)(arrays)

    def pymc_model() -> Any:
        from mmx.mmm import pymc_model as front

        return front.build(structure, inputs)

    def compiled() -> Callable[[Floats], tuple[float, Floats]]:
        from mmx.mmm import kernel_arrays, kernel_load

        return kernel_load.bind(kernel_arrays.arrays_of(structure, inputs))

    def native() -> Native:
        from mmx.mmm import kernel_arrays, kernel_load

        return kernel_load.native(kernel_arrays.arrays_of(structure, inputs))

    has_kernel = kernel_codes.supports(structure)
    return Target(
        dim=structure.dim,
        log_density=log_density_of(structure),
        inputs=inputs,
        names=coordinate_names(structure, media),
        numpyro_model=numpyro_model,
        pymc_model=pymc_model,
        compiled=compiled if has_kernel else None,
        native=native if has_kernel else None,
        dense=structure.national,
        canonical=partial(unsigned, structure),
        sites=tuple(Site(site_name(b), structure.slices[b.name], TRANSFORMS.get(b.kind, "identity")) for b in structure.blocks),
    )


def coordinate_names(structure: Structure, media: Sequence[str]) -> tuple[str, ...]:
    """Readable name of every coordinate: ``alpha[tv]``, ``geo_z[tv,3]``, ``noise``."""
    names: list[str] = []
    for block in structure.blocks:
        if block.name == "geo_z":
            names += [f"geo_z[{media[m]},{g}]" for m in block.media for g in range(structure.geos - 1)]
        elif block.media:
            names += [f"{block.name}[{media[m]}]" for m in block.media]
        else:
            names += [block.name] if block.size == 1 else [f"{block.name}[{i}]" for i in range(block.size)]
    return tuple(names)
