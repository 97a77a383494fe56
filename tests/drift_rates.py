"""How often the tests of drift raise an alarm, by simulation: without drift, and with one that is planted.

    python tests/drift_rates.py --repetitions 1000 --out tests/drift_rates.json

Two sets are drawn anew in each repetition, of normal features that are correlated, since those of a network
are.  The second is then shifted.  Last, the test part of the digits is cut in two at random, where nothing
has drifted either.  A test raises an alarm where its own p-value is at most 0.05; `any` is the
alarm of all four together, which `drift` gives at the same rate.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ssl_bench import data
from ssl_bench.evaluation.drift import TESTS, drift

ALPHA = 0.05
DIGITS = 'nothing: halves of the digits'
Shift = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _part(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """A fifth of the rows moves far in half of the features."""
  moved = rows.copy()
  moved[: len(rows) // 5, : rows.shape[1] // 2] += 2.0
  return moved


def _one(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """One feature moves."""
  return rows + 0.6 * np.eye(rows.shape[1])[0]


SHIFTS: dict[str, Shift] = {
  'nothing': lambda rows, rng: rows,
  'every mean by 0.3 σ': lambda rows, rng: rows + 0.3,
  'one mean by 0.6 σ': _one,
  'a fifth of the rows': _part,
  'variance doubled': lambda rows, rng: rows * np.sqrt(2),
  'correlation lost': lambda rows, rng: rng.permuted(rows, axis=0),
}


def rates(
  repetitions: int, *, rows: int = 200, features: int = 16, permutations: int = 199, seed: int = 0
) -> dict[str, dict[str, float]]:
  """Shift -> test -> the share of repetitions in which it raised an alarm."""
  alarms = {shift: dict.fromkeys((*TESTS, 'any'), 0) for shift in SHIFTS}
  half = np.full((features, features), 0.5) + 0.5 * np.eye(features)  # correlations of one half
  root = np.linalg.cholesky(half)
  for repetition in range(repetitions):
    rng = np.random.default_rng([seed, repetition])
    first, second = (rng.normal(size=(rows, features)) @ root.T for _ in range(2))
    for shift, apply in SHIFTS.items():
      found = drift(first, apply(second, rng), alpha=ALPHA, permutations=permutations, seed=repetition)
      for name, one in found.tests.items():
        alarms[shift][name] += one.p <= ALPHA
      alarms[shift]['any'] += found.alarm
  return {s: {name: count / repetitions for name, count in row.items()} for s, row in alarms.items()}


def of_digits(repetitions: int, *, permutations: int = 199, seed: int = 0) -> dict[str, float]:
  """Test -> the share of random halves of the digits' test images in which it raised an alarm."""
  images = data.load('digits').test_images
  alarms = dict.fromkeys((*TESTS, 'any'), 0)
  for repetition in range(repetitions):
    order = np.random.default_rng([seed, 1, repetition]).permutation(len(images))
    first, second = np.array_split(images[order], 2)
    found = drift(first, second, alpha=ALPHA, permutations=permutations, seed=repetition)
    for name, one in found.tests.items():
      alarms[name] += one.p <= ALPHA
    alarms['any'] += found.alarm
  return {name: count / repetitions for name, count in alarms.items()}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--repetitions', type=int, default=1000)
  parser.add_argument('--out', type=Path)
  options = parser.parse_args()
  settings = {'rows': 200, 'features': 16, 'permutations': 199}
  found = {
    'repetitions': options.repetitions,
    'alpha': ALPHA,
    **settings,
    'alarms': {**rates(options.repetitions, **settings), DIGITS: of_digits(options.repetitions)},
  }
  text = json.dumps(found, indent=2, ensure_ascii=False) + '\n'
  print(text, end='')
  if options.out:
    options.out.write_text(text, encoding='utf-8')


if __name__ == '__main__':
  main()
