"""Engines: where the workers of a grid run.  What they did is read from the run folder alone."""
