"""Figures and files. They receive values and compute no statistics."""
