"""Compiled functions: object code on disk, and what makes it."""
