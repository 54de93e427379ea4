"""Linear algebra of an arrow-shaped matrix: one small block per ad set, a border of shared effects, nothing between ad sets.

    H = [ A_1         B_1 ]
        [      ...    ... ]       A_a (own, own), B_a (own, shared), G (shared, shared)
        [ B_1' ...     G  ]

Its factor costs (ad sets x own x shared^2) instead of the cube of all: the ad sets are eliminated one by one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mmx.jax_setup import jax, jnp


class Arrow(NamedTuple):
    """A symmetric matrix; ``own (ad set, k, k)``, ``between (ad set, k, g)``, ``shared (g, g)``."""

    own: Any
    between: Any
    shared: Any


class Factor(NamedTuple):
    """Its Cholesky factor: of the blocks, the border in their coordinates, and what is left of the shared part."""

    own: Any
    border: Any
    shared: Any


def _lower(factor: Any, right: Any, transposed: bool = False) -> Any:
    return jax.scipy.linalg.solve_triangular(factor, right, lower=True, trans=1 if transposed else 0)


def factorise(matrix: Arrow) -> Factor:
    """Factor of a positive definite arrow; NaN where it is not."""
    own = jnp.linalg.cholesky(matrix.own)
    border = jax.vmap(_lower)(own, matrix.between)
    rest = matrix.shared - jnp.einsum("akg,akh->gh", border, border)
    return Factor(own, border, jnp.linalg.cholesky(rest))


def log_determinant(factor: Factor) -> Any:
    """Logarithm of the determinant."""
    own = jnp.sum(jnp.log(jnp.diagonal(factor.own, axis1=1, axis2=2)))
    return 2.0 * (own + jnp.sum(jnp.log(jnp.diagonal(factor.shared))))


def solve(factor: Factor, own: Any, shared: Any) -> tuple[Any, Any]:
    """Solution of ``H x = r`` in its own, (ad set, k), and shared, (g,), parts."""
    first = jax.vmap(_lower)(factor.own, own)
    rest = _lower(factor.shared, shared - jnp.einsum("akg,ak->g", factor.border, first))
    return back(factor, first, rest)


def back(factor: Factor, own: Any, shared: Any) -> tuple[Any, Any]:
    """Solution of ``L' x = z``: of standard normals a draw with covariance ``H^-1``."""
    end = _lower(factor.shared, shared, transposed=True)
    first = own - jnp.einsum("akg,g->ak", factor.border, end)
    return jax.vmap(lambda f, z: _lower(f, z, transposed=True))(factor.own, first), end
