"""Patterns of training, one file each, found by name; `pattern` says what one is."""
