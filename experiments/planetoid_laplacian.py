"""Laplacian regularization on Planetoid as Yang et al. 2016 trained it: without the test nodes.

    python experiments/planetoid_laplacian.py 5

The config of this project sees all nodes without their labels, as transductive methods do. Here the unlabeled
stream has no test node, so the penalty is over the edges between the others; all else is the config.
"""

import sys

import numpy as np

from ssl_bench import api, data
from ssl_bench.planning import make_plan


def main(seeds: int) -> None:
  for name in ('cora', 'citeseer'):
    whole = data.load(name)
    seen = np.setdiff1d(whole.unlabeled_images, whole.test_images).astype('int32')
    for what, dataset in (('all nodes', whole), ('no test nodes', whole._replace(unlabeled_images=seen))):
      found = 100 * np.array([accuracy(name, dataset, seed) for seed in range(seeds)])
      print(f'{name}, {what}, {seeds} seeds: {found.mean():.1f} ± {found.std():.1f}', flush=True)


def accuracy(name: str, dataset: data.Dataset, seed: int) -> float:
  """Test accuracy after the last step."""
  how = [f'seed={seed}', 'evaluate.probes=[]', 'evaluate.bootstrap=100']
  plan = make_plan(api.load_config(f'{name}/laplacian_regularization', how), dataset)
  return api.evaluate(plan, api.train(plan))['accuracy']


if __name__ == '__main__':
  main(int(sys.argv[1]))
