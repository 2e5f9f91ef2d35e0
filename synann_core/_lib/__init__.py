"""Helpers of the core: arguments, autodiff hooks, file writing. Nothing here is public."""
