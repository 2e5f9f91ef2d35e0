"""Slow, obvious NumPy written straight from docs/theory.md, and golden outputs: what is right.

Imports nothing from the library, and is never shipped with it.
"""
