"""Hierarchical response model of ad sets: what their budgets bring, with all uncertainty, and one day of it for roll-outs."""
