"""Slow, obvious NumPy written straight from the theory, and golden outputs: what is right.

Imports nothing from the library, and is never shipped with it.
"""
