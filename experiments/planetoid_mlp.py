"""The perceptron of Kipf and Welling 2017, table 3, with the early stopping of their code, and without.

    python experiments/planetoid_mlp.py 20

tkipf/gcn, `--model dense`: 16 units, no bias, dropout 0.5 of inputs and units, Adam at 0.01, L2 of 5e-4 on
the first layer. It stops after epoch 10 as soon as the validation loss, L2 included, is above the mean of the
ten before, and tests the weights of that epoch. Apart from the package but for the data.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssl_bench import data

EPOCHS, WINDOW, DECAY = 200, 10, 5e-4


def main(seeds: int) -> None:
  for name in ('cora', 'citeseer'):
    found = np.array([run(data.load(name), seed) for seed in range(seeds)])
    stopped, last = 100 * found[:, 1], 100 * found[:, 2]
    print(
      f'{name}, {seeds} seeds: stops at epoch {found[:, 0].mean():.0f} ({found[:, 0].min():.0f} to '
      f'{found[:, 0].max():.0f}), test accuracy there {stopped.mean():.1f} ± {stopped.std():.1f}, '
      f'after {EPOCHS} epochs {last.mean():.1f} ± {last.std():.1f}',
      flush=True,
    )


def run(dataset: data.Dataset, seed: int) -> tuple[float, float, float]:
  """(epoch of the stop, test accuracy there, test accuracy after all epochs)."""
  features = np.asarray(dataset.graph.features())
  train = dataset.folds[0]
  parts = {
    'train': (features[dataset.train_images[train]], dataset.train_labels[train]),
    'validation': (features[dataset.validation_images], dataset.validation_labels),
    'test': (features[dataset.test_images], dataset.test_labels),
  }
  tx, key, init = optax.adam(0.01), jax.random.key(seed), jax.nn.initializers.glorot_uniform()
  keys = jax.random.split(key, 2)
  params = init(keys[0], (features.shape[1], 16)), init(keys[1], (16, dataset.classes))

  def logits(params, inputs, key=None):
    hidden = jax.nn.relu(dropped(inputs, key, 0) @ params[0])
    return dropped(hidden, key, 1) @ params[1]

  def loss(params, inputs, labels, key=None):
    terms = optax.softmax_cross_entropy_with_integer_labels(logits(params, inputs, key), labels)
    return terms.mean() + DECAY / 2 * (params[0] ** 2).sum()

  @jax.jit
  def step(params, state, key):
    grads = jax.grad(loss)(params, *parts['train'], key)
    updates, state = tx.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    test, labels = parts['test']
    right = (logits(params, test).argmax(-1) == labels).mean()
    return params, state, loss(params, *parts['validation']), right

  state, costs, stop, right = tx.init(params), [], None, 0.0
  for epoch in range(EPOCHS):
    params, state, cost, right = step(params, state, jax.random.fold_in(key, epoch))
    costs.append(float(cost))
    if stop is None and epoch > WINDOW and costs[-1] > np.mean(costs[-1 - WINDOW : -1]):
      stop = epoch, float(right)
  return *(stop or (EPOCHS - 1, float(right))), float(right)


def dropped(x, key, salt):
  """Dropout of one half, where there is a key."""
  if key is None:
    return x
  return jnp.where(jax.random.bernoulli(jax.random.fold_in(key, salt), 0.5, x.shape), 2 * x, 0)


if __name__ == '__main__':
  main(int(sys.argv[1]))
