"""Daily tables of ads: reading, names, recovered values, features, and an account's history as arrays."""
