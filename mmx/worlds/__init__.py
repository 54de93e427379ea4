"""Simulated worlds with known truth."""

from mmx.worlds.accounts.table import WORLDS as ACCOUNTS
from mmx.worlds.accounts.table import SimulatedAccount, simulate_account
from mmx.worlds.files import write
from mmx.worlds.generate import Simulated, simulate
from mmx.worlds.read import read
from mmx.worlds.registry import WORLDS, World
from mmx.worlds.standin import like
from mmx.worlds.variants import VARIANTS

__all__ = [
    "ACCOUNTS",
    "VARIANTS",
    "WORLDS",
    "Simulated",
    "SimulatedAccount",
    "World",
    "like",
    "read",
    "simulate",
    "simulate_account",
    "write",
]
