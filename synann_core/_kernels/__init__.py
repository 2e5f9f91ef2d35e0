"""Compiled variants of the one hot contraction; `_contraction.variant` chooses among them."""
