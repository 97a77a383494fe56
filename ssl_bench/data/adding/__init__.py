"""Adding a dataset of a user's own: read what was given, make it one size, divide it, and store it."""
