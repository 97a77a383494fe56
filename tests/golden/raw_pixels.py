"""Nothing is learned, so there is no objective: the features are tested in test_methods_floors.py."""

VERSION = 1
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS: dict[str, float] = {}
