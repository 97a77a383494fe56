"""Encoders of graphs under the linear probes of the papers, beside this project's.

    python experiments/planetoid_probes.py runs/reproduce_planetoid

Of each record of a self-supervised method there: its own linear probe with the labels of the public split
(features standardized, L2 by validation), and on the same features three others:

* rows: that of GRACE's and BGRL's code, on rows of length 1 (`linear_rows`);
* Adam: softmax regression by 300 steps of Adam at 0.01 with L2 of 1e-4, on Citeseer 0.01, at the step of best
  validation accuracy (GraphMAE's code);
* last: the same by 100 steps without L2, the last step (DGI's code).
"""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssl_bench.api import load_trained
from ssl_bench.evaluation.probes import Features
from ssl_bench.evaluation.rows import on_rows
from ssl_bench.training.checkpoint import UnusableCheckpoint

METHODS = ('dgi', 'grace', 'bgrl', 'graphmae')
DECAY = {'cora': 1e-4, 'citeseer': 0.01}


def main(folder: Path) -> None:
  for path in sorted((folder / 'records').glob('*.json')):
    record = json.loads(path.read_text())
    method, dataset, seed = (record['config'][key] for key in ('method', 'dataset', 'seed'))
    if method['name'] in METHODS:
      print(f'{method["name"]} {dataset} seed {seed}: {told(path, record, DECAY[dataset])}', flush=True)


def told(path: Path, record, decay: float) -> str:
  """The test accuracies of all probes on the features of a record's network."""
  try:
    trained = load_trained(path)
  except UnusableCheckpoint:
    return 'was trained by other code'
  dataset = trained.plan.dataset
  few, see = dataset.folds[0], trained.features
  features = Features(see(dataset.train_images), see(dataset.validation_images), see(dataset.test_images))
  parts = {
    'train': (features.train[few], dataset.train_labels[few]),
    'validation': (features.validation, dataset.validation_labels),
    'test': (features.test, dataset.test_labels),
  }
  found = {
    'own': record['metrics']['linear_budget']['accuracy'],
    'rows': on_rows(features, dataset, few),
    'Adam': by_adam(parts, dataset.classes, 300, decay),
    'last': by_adam(parts, dataset.classes, 100, 0.0, last=True),
  }
  return ', '.join(f'{name} {100 * value:.1f}' for name, value in found.items())


def by_adam(parts, classes: int, steps: int, decay: float, *, last: bool = False) -> float:
  """Test accuracy of softmax regression by Adam, at the best step on validation or at the last."""
  x, y = map(jnp.asarray, parts['train'])
  start = jax.nn.initializers.glorot_uniform()(jax.random.key(0), (x.shape[1], classes))
  params = {'kernel': start, 'bias': jnp.zeros(classes)}
  tx = optax.chain(optax.add_decayed_weights(decay), optax.adam(0.01))

  def step(carry, _):
    params, state = carry
    logits = lambda params, x: x @ params['kernel'] + params['bias']
    loss = lambda params: optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()
    change, state = tx.update(jax.grad(loss)(params), state, params)
    params = optax.apply_updates(params, change)
    right = lambda part: (logits(params, parts[part][0]).argmax(1) == parts[part][1]).mean()
    return (params, state), (right('validation'), right('test'))

  validation, test = jax.jit(lambda carry: jax.lax.scan(step, carry, None, steps)[1])(
    (params, tx.init(params))
  )
  validation, test = np.asarray(validation), np.asarray(test)
  return float(test[-1] if last else test[np.flatnonzero(validation == validation.max())[-1]])


if __name__ == '__main__':
  main(Path(sys.argv[1]))
