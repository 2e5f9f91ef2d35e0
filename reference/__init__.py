"""The library's formulas written again: slow, obvious NumPy from the theory, to say what is right.

Nothing here imports synann_core. Forward functions propagate complex numbers, so that
`differentiate.complex_step` gives derivatives without cancellation.
"""
