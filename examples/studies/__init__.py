"""Longer examples: comparisons over seeds, and what they are compared with."""
