"""What a trial is called in a line of progress."""

from collections.abc import Collection, Mapping
from typing import Any

from ssl_bench.records.naming import variant


def label(config: Mapping[str, Any], names: Mapping[str, Collection[str]]) -> str:
  """A trial in a few words: method, labels, seeds, and those of its settings that the grid varies."""
  told = {name.removesuffix('.name'): value for name, value in variant(config, names).items()}
  return ', '.join(
    [
      config['method']['name'],
      f'{config["labels"]} labels',
      f'seeds {config["split_seed"]}/{config["seed"]}',
      *(f'{name} {value}' for name, value in told.items() if name != 'labels'),
    ]
  )
