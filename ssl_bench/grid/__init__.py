"""A grid: the trials of a file of axes, run by workers that keep what is recorded and resume the rest."""
