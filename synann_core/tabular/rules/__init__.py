"""Soft and hard rules: literals of a table, joined by synapses, as a classifier."""
