"""Geo experiments: what a treatment brought, against a weighted mean of geos that were left alone."""
