"""Masked modeling: what was hidden is predicted."""
