"""Hierarchical rule parameters: what many customers' searches say together about the parameters of each, and of a new one."""
