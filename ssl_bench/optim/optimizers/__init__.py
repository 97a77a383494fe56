"""Optimizers: one file each, found by name.

A factory has settings alone, `lr` and `schedule` among them, and returns a function from the rate (a number,
or a function of the step) to an `optax.GradientTransformation`.  Every number may be traced.
"""
