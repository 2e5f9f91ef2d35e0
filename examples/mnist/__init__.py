"""Training on MNIST and Fashion-MNIST: what a run needs, and the models."""
