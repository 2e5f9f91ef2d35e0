"""Counts and rates as products of factors between 0 and 1, as a regressor."""
