"""Training: the compiled program of a plan, the loop that runs it, and the checkpoints it saves."""
