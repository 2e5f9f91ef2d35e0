"""The one expensive operation, T_bi = Σ_j log(1 − β_ij y_bj), on every array library."""
