"""The schema of settings, read from signatures; YAML files, sections of a config, one-sentence errors."""
