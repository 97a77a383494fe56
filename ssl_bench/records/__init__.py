"""One trial, one JSON file: written whole before anything else is told, and the only source of every table."""
