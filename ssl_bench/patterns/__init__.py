"""Patterns of training, one file each, found by name; `plan.pattern` says what one is."""
