"""Log density of optima with the customers' parameters integrated out, with its gradient by hand.

With ``r = theta* - W' z``, ``A = I + L' P L``, ``B = A^-1`` and ``b = B L' P r`` (so that ``L b`` is the posterior mean of
``theta - W' z``) the value is ``-(r' P r - (L' P r)' b + log |A|) / 2``; its gradients are ``-P (r - L b)`` in r and
``sum_c P (r - L b) b' - P L B`` in L. A is the identity plus a semi-definite matrix, so that it is inverted by pivots down its
diagonal without exchanges; that is two to three times faster, for many small matrices, than differentiating a factorisation.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mmx.jax_setup import jax, jnp

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def marginal() -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
    """The function ``(r (customer, d), L (d, d), P (customer, d, d)) -> ()``, differentiable in r and L."""

    @jax.custom_vjp
    def value(r: jax.Array, lower: jax.Array, precision: jax.Array) -> jax.Array:
        return forward(r, lower, precision)[0]

    def forward(r: jax.Array, lower: jax.Array, precision: jax.Array) -> tuple[jax.Array, Any]:
        pull = jnp.einsum("cij,cj->ci", precision, r)
        through = precision @ lower
        inverse, half_log_det = _invert(jnp.eye(lower.shape[0]) + lower.T @ through)
        u = pull @ lower
        b = jnp.einsum("cij,cj->ci", inverse, u)
        left = pull - jnp.einsum("cij,cj->ci", through, b)
        slope = left.T @ b - jnp.einsum("cij,cjk->ik", through, inverse)
        return -0.5 * ((r * pull).sum() - (u * b).sum()) - half_log_det, (-left, slope)

    def backward(slopes: Any, outer: jax.Array) -> tuple[jax.Array, jax.Array, None]:
        return slopes[0] * outer, slopes[1] * outer, None

    value.defvjp(forward, backward)
    return value


def _invert(a: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Inverses of matrices, (customer, d, d), and half the sum of their log determinants, by Gauss-Jordan pivots."""
    place = jnp.arange(a.shape[-1])

    def pivot(k: Any, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        matrix, log_det = state
        own = matrix[:, k, k][:, None]
        column = jnp.where(place == k, own - 1.0, matrix[:, :, k])
        row = jnp.where(place == k, own + 1.0, matrix[:, k, :])
        return matrix - column[:, :, None] * row[:, None, :] / own[:, :, None], log_det + jnp.log(own).sum()

    inverse, log_det = jax.lax.fori_loop(0, a.shape[-1], pivot, (a, jnp.zeros(())))
    return inverse, 0.5 * log_det
