"""The marketing-mix model: resolved constants, design, density, front ends, posterior."""
