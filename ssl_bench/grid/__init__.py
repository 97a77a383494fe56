"""A grid: the trials of a file of axes, its manifest, the workers that take tasks from it, where they run."""
