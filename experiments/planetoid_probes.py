"""Encoders of graphs under the linear probes of the papers, beside this project's.

    python experiments/planetoid_probes.py runs/reproduce_planetoid

Of each record of a self-supervised method there: its own linear probe with the labels of the public split
(features standardized, L2 by validation), and on the same features three others:

* rows: rows of length 1, logistic regression one against the rest, C of 2^-10 to 2^10 by validation accuracy
  (GRACE's and BGRL's code);
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
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from ssl_bench.api import load_trained
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
    parts, classes = features_of(path)
  except UnusableCheckpoint:
    return 'was trained by other code'
  found = {
    'own': record['metrics']['linear_budget']['accuracy'],
    'rows': by_rows(parts),
    'Adam': by_adam(parts, classes, 300, decay),
    'last': by_adam(parts, classes, 100, 0.0, last=True),
  }
  return ', '.join(f'{name} {100 * value:.1f}' for name, value in found.items())


def features_of(path: Path) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], int]:
  """Part -> (features, labels) of a record's network, and the number of classes."""
  trained = load_trained(path)
  dataset = trained.plan.dataset
  few = dataset.folds[0]
  nodes = {
    'train': (dataset.train_images[few], dataset.train_labels[few]),
    'validation': (dataset.validation_images, dataset.validation_labels),
    'test': (dataset.test_images, dataset.test_labels),
  }
  return {
    part: (trained.features(images), labels) for part, (images, labels) in nodes.items()
  }, dataset.classes


def by_rows(parts) -> float:
  """Test accuracy of logistic regression on rows of length 1; of equal ones the smallest C."""
  unit = {
    part: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for part, (x, _) in parts.items()
  }
  found = []
  for exponent in range(-10, 11):
    model = OneVsRestClassifier(LogisticRegression(C=2.0**exponent, solver='liblinear'))
    model.fit(unit['train'], parts['train'][1])
    validation, test = (model.score(unit[part], parts[part][1]) for part in ('validation', 'test'))
    found.append((validation, -exponent, test))
  return max(found)[2]


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
