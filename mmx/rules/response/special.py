"""Log gamma by Stirling's series, in plain arithmetic that compiles to vector code and can be differentiated three times.

``log Gamma(x) = (y - 1/2) log y - y + log(2 pi) / 2 + 1/(12 y) - 1/(360 y^3) + ... - log(x (x+1) ... (x+7))``, ``y = x + 8``
(Abramowitz and Stegun 6.1.40): the first term left out is below 1e-11.
"""

from __future__ import annotations

import math
from typing import Any

from mmx.jax_setup import jnp

SHIFT = 8
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def log_gamma(x: Any) -> Any:
    """Logarithm of the gamma function of positive numbers below 1e37, elementwise."""
    product = x
    for k in range(1, SHIFT):
        product = product * (x + k)
    y = x + SHIFT
    inverse = 1.0 / y
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680))))
    return (y - 0.5) * jnp.log(y) - y + HALF_LOG_2PI + series - jnp.log(product)
