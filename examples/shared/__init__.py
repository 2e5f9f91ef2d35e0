"""Options, data sets and pictures that several examples share."""
