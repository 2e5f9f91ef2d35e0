"""Odds: thresholds of measurements, the rule of Bayes, and a classifier of both."""
