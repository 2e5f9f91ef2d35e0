"""Learning rules of synapses between spiking neurons."""
