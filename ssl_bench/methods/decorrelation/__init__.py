"""Redundancy reduction: decorrelated components of the embedding."""
