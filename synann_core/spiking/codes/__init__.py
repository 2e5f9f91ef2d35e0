"""Codes between signals and spikes, and events."""
