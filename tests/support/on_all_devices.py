"""Trains methods for a few steps on all devices of the process; as a script, it writes the end."""

import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from support.tiny_trial import run, tiny_combined_trial, tiny_trial
from support.trees import host, kinds

from ssl_bench import combine, methods

COMBINED = 'combined'
ALL = (*methods.names(), COMBINED)


def ends_of(names: Sequence[str], steps: int = 5) -> dict[str, np.ndarray]:
  """The state and sums of each of `ALL` after a few steps on all devices of the process, by path."""
  ends: dict[str, np.ndarray] = {}
  for name in names:
    tiny = tiny_combined_trial('flexmatch', *combine.names()) if name == COMBINED else tiny_trial(name)
    begun = run(tiny, 0)
    before = kinds(begun)
    ended = run(tiny, steps, start=begun)
    assert before == kinds(ended), name
    assert all(len(x.sharding.device_set) == len(jax.devices()) for x in jax.tree.leaves(ended)), name
    ends |= {f'{name}{path}': leaf for path, leaf in host(ended).items()}
  return ends


if __name__ == '__main__':
  path, *names = sys.argv[1:]
  ends: dict[str, Any] = ends_of(names)
  np.savez(path, devices=len(jax.devices()), **ends)
