"""Simulated accounts of the study of rule discovery, of one shape, so that what is compiled serves all tests."""

import sys
from functools import cache
from importlib import import_module
from pathlib import Path

STUDY = Path(__file__).parents[2] / "experiments" / "rule_discovery"


def accounts():
    """The study's module that makes accounts."""
    sys.path.insert(0, str(STUDY))
    try:
        return import_module("discovery_accounts")
    finally:
        sys.path.remove(str(STUDY))


@cache
def account(seed, **recipe):
    """A history of 30 ad sets in 4 campaigns."""
    made = accounts()
    return made.simulate(made.Recipe(**recipe), seed)
