"""Baselines that other methods are measured against."""
