"""Trains every method for a few steps on all devices of the process; as a script, it writes the end."""

import sys
from typing import Any

import jax
import numpy as np
from support.tiny_trial import run, tiny_combined_trial, tiny_trial
from support.trees import host, kinds

from ssl_bench import combine, methods


def end_of_all(steps: int = 5) -> dict[str, np.ndarray]:
  """The state and sums of every method after a few steps on all devices of the process, by path."""
  ends: dict[str, np.ndarray] = {}
  trials = {name: tiny_trial(name) for name in methods.names()}
  trials['combined'] = tiny_combined_trial('flexmatch', *combine.names())
  for name, tiny in trials.items():
    begun = run(tiny, 0)
    before = kinds(begun)
    ended = run(tiny, steps, start=begun)
    assert before == kinds(ended), name
    assert all(len(x.sharding.device_set) == len(jax.devices()) for x in jax.tree.leaves(ended)), name
    ends |= {f'{name}{path}': leaf for path, leaf in host(ended).items()}
  return ends


if __name__ == '__main__':
  ends: dict[str, Any] = end_of_all()
  np.savez(sys.argv[1], devices=len(jax.devices()), **ends)
