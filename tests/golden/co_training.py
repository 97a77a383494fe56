"""Blum and Mitchell (1998), table 1, with linear discriminant analysis on both halves of an image."""

import numpy as np

from golden import Refresh, _discriminant

VERSION = 1
REFRESHES = {
  'three rounds': Refresh(value=7.41221, settings={'rounds': 3}),
  'two of each class': Refresh(value=-12.2273, settings={'rounds': 2, 'growth': 2, 'shrinkage': 0.9}),
  'given labels only': Refresh(value=341.198, settings={'rounds': 0}),
}
MEMORY = {'slope', 'offset'}
SETTINGS: dict[str, float] = {}
NUMBERS = {'shrinkage': 0.9}


def refresh(params, stats, memory, images, labeled, *, step, steps, classes, rounds, growth=1, shrinkage=0.5):
  del params, stats, memory, step, steps
  labels, width = _discriminant.given(len(images), labeled), images.shape[1]
  halves = np.arange(width // 2), np.arange(width // 2, width)
  both = lambda: [_discriminant.fit(images, labels, classes, shrinkage, half) for half in halves]
  for _ in range(rounds):
    for one in both():
      shares = _discriminant.probs(images, *one)
      unsure = [np.sort(row)[:-1].sum() / row.max() for row in shares]
      free = [i for i in np.argsort(unsure, kind='stable') if labels[i] < 0]
      for c in range(classes):
        for i in [i for i in free if shares[i].argmax() == c][:growth]:
          labels[i] = c
  slopes, offsets = zip(*both())
  return {'slope': np.array(slopes), 'offset': np.array(offsets)}
