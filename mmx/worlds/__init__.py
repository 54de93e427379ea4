"""Simulated worlds with known truth."""

from mmx.worlds.files import write
from mmx.worlds.generate import Simulated, simulate
from mmx.worlds.read import read
from mmx.worlds.registry import WORLDS, World
from mmx.worlds.standin import like
from mmx.worlds.variants import VARIANTS

__all__ = ["VARIANTS", "WORLDS", "Simulated", "World", "like", "read", "simulate", "write"]
