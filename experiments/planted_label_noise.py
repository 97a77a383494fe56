"""How many planted wrong labels `data check` suspects: python planted_label_noise.py digits fashion_mnist.

A tenth of all labels of a set is replaced by another class, drawn uniformly.  Precision is the share of the
suspects that were planted, recall the share of the planted that are suspects.
"""

import sys
import time

import numpy as np

from ssl_bench import data
from ssl_bench.data.checking import label_errors, probe
from ssl_bench.data.meta import PARTS

NOISE = 0.1


def main(name: str) -> None:
  found = data.load(name)
  images = np.concatenate([getattr(found, f'{part}_images') for part in PARTS])
  labels = np.concatenate([getattr(found, f'{part}_labels') for part in PARTS]).astype(int)
  rng = np.random.default_rng(1)
  wrong = rng.random(len(labels)) < NOISE
  given = np.where(wrong, (labels + rng.integers(1, found.classes, len(labels))) % found.classes, labels)
  start = time.process_time()
  probs = probe.out_of_fold(probe.pixels(images), given, found.classes, waves=True)
  suspects = label_errors.suspects(given, probs).positions
  seconds = time.process_time() - start
  hits = wrong[suspects]
  print(
    f'{name}: {wrong.sum():,} of {len(wrong):,} labels planted, {len(suspects):,} suspected: '
    f'precision {hits.mean():.3f}, recall {hits.sum() / wrong.sum():.3f}, precision of the first tenth '
    f'of them {hits[: len(hits) // 10].mean():.3f}; {seconds:.0f} s of processor time'
  )


if __name__ == '__main__':
  for word in sys.argv[1:]:
    main(word)
