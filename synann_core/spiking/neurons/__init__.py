"""Leaky integrate-and-fire neurons, their surrogate gradients and presets."""
