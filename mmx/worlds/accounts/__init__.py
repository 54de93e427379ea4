"""Simulated advertising accounts with known truth: ads, ad sets and campaigns, their past, and futures for policies."""

from mmx.worlds.accounts.allocations import Allocation
from mmx.worlds.accounts.behaviour import KINDS
from mmx.worlds.accounts.benchmark import elasticity, long_run, marginal_roas, oracle_allocation
from mmx.worlds.accounts.customer import COVARIATES, HETEROGENEITY, Customer, draw_customer
from mmx.worlds.accounts.rollout import BatchPolicy, Outcome, Windows, roll
from mmx.worlds.accounts.world import AccountWorld, make_world

__all__ = [
    "COVARIATES",
    "HETEROGENEITY",
    "KINDS",
    "AccountWorld",
    "Allocation",
    "BatchPolicy",
    "Customer",
    "Outcome",
    "Windows",
    "draw_customer",
    "elasticity",
    "long_run",
    "make_world",
    "marginal_roas",
    "oracle_allocation",
    "roll",
]
