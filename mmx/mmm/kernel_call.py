"""The plain model's kernel as C functions. Imported only where it is compiled."""

from __future__ import annotations

from mmx.mmm.kernel import fill
from mmx.mmm.kernel_entry import functions_of

FUNCTIONS = functions_of(fill)
