"""The loops that Numba compiles, for all engines, and how they are compiled."""
