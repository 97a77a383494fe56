"""Contrastive learning: two views of an image against those of others."""
