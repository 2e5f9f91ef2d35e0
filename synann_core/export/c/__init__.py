"""C99 sources of graphs, networks and learners."""
