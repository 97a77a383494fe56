"""The generated parts of the documentation: method pages, lists, measures, pictures and tables."""

from pathlib import Path

ROOT = Path(__file__).parents[2]  # a checkout: configs, records, tests and docs stand beside the package
