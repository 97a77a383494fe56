"""Label propagation on a graph of similar images."""
