"""The kernel of all other models as C functions. Imported only where it is compiled."""

from __future__ import annotations

from mmx.mmm.kernel_entry import functions_of
from mmx.mmm.kernel_general import fill

FUNCTIONS = functions_of(fill)
