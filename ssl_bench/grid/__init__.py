"""Trials: one from config to record, and many from a file of axes."""
