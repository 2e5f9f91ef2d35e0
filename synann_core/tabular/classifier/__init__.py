"""The network of SynaMLP as a classifier of tables."""
