"""Samplers, convergence gate and sampling statistics, generic over a density."""
