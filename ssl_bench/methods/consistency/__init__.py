"""Consistency regularization: predictions stay the same under perturbations."""
