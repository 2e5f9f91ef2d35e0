"""Layers of spiking neurons, and how they are trained."""
