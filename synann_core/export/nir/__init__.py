"""Exchange spiking networks as NIR, the Neuromorphic Intermediate Representation."""
