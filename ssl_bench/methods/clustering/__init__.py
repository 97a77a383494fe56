"""Clustering of embeddings: prototypes instead of negatives."""
