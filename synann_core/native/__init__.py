"""The C kernels of all engines, how they are built, and how arrays reach them."""
