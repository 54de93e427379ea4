"""Simulated worlds with known truth."""
