"""One trial, one JSON file: written whole before anything else is told, and the source of every table."""
