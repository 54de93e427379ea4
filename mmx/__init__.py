"""mmx: from a table of advertising spend and sales to a budget recommendation that carries its uncertainty."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmx.config import read_config as read_config
    from mmx.data.lift import with_lift_tests as with_lift_tests
    from mmx.data.load import load as load
    from mmx.decide.recommend import recommend as recommend
    from mmx.mmm.fit import Fit as Fit
    from mmx.mmm.fit import fit as fit

__version__ = "0.1.0"
_PUBLIC = {
    "read_config": "mmx.config",
    "load": "mmx.data.load",
    "with_lift_tests": "mmx.data.lift",
    "fit": "mmx.mmm.fit",
    "Fit": "mmx.mmm.fit",
    "recommend": "mmx.decide.recommend",
}
__all__ = ["Fit", "__version__", "fit", "load", "read_config", "recommend", "with_lift_tests"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'mmx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
