"""Simulated worlds with known truth."""

from mmx.worlds.files import write
from mmx.worlds.generate import Simulated, simulate
from mmx.worlds.registry import WORLDS, World
from mmx.worlds.standin import like

__all__ = ["WORLDS", "Simulated", "World", "like", "simulate", "write"]
