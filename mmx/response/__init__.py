"""Adstock and saturation: pure functions, one file each."""
