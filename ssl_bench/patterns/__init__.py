"""Patterns of training, one file each, found by name; `contract.pattern` says what one is."""
