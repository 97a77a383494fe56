"""Losses: arrays in, scalars or one value per example out; computed in float32."""

import jax
import jax.numpy as jnp


def cross_entropy(logits, labels):
  """-log softmax(logits)[label].  [batch, classes], int [batch] -> [batch]."""
  log_probs = jax.nn.log_softmax(logits.astype('float32'))
  return -jnp.take_along_axis(log_probs, labels[:, None], 1)[:, 0]


def soft_cross_entropy(logits, targets):
  """-Σ_c targets_c log softmax(logits)_c.  [batch, classes] twice -> [batch]."""
  return -(targets * jax.nn.log_softmax(logits.astype('float32'))).sum(-1)


def entropy(probs):
  """-Σ_c probs_c log probs_c, in nats; 0 log 0 is 0.  [..., classes] -> [...]."""
  return jax.scipy.special.entr(probs.astype('float32')).sum(-1)


def squared_error(probs, targets):
  """Mean over classes of (probs - targets)².  [batch, classes] twice -> [batch]."""
  return jnp.square(probs.astype('float32') - targets.astype('float32')).mean(-1)


def cross_views(logits, targets):
  """soft_cross_entropy of each target with every other view, the mean over these pairs and over images.

  [views, batch, classes], [targets, batch, classes] -> scalar; target i belongs to view i.
  """
  terms = jnp.stack([soft_cross_entropy(logits, target[None]).mean(-1) for target in targets])
  others = 1 - jnp.eye(len(targets), len(logits))
  return (terms * others).sum() / others.sum()


def sinkhorn(scores, epsilon, iterations, valid):
  """Assignments of rows to columns that use all columns alike (Caron et al., 2020, after Cuturi, 2013).

  exp(scores / epsilon), its columns and then its rows divided by their sums, `iterations` times, all of it in
  logarithms.  [rows, columns] -> [rows, columns], rows sum to 1; a row that is not `valid` (bool [rows]) has
  no part in any column's sum.
  """
  x = scores.astype('float32') / epsilon
  for _ in range(iterations):
    x -= jax.nn.logsumexp(x, 0, where=valid[:, None], keepdims=True)
    x -= jax.nn.logsumexp(x, 1, keepdims=True)
  return jnp.exp(x)


def normalize(x, epsilon=1e-12):
  """Rows of unit length; ‖x‖² is floored at `epsilon`, so the gradient at 0 is finite."""
  x = x.astype('float32')
  return x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(-1, keepdims=True), epsilon))


def cosine_distance(a, b):
  """2 - 2 cos(a, b) = ‖a/‖a‖ - b/‖b‖‖².  [batch, d] twice -> [batch], in [0, 4]."""
  return 2 - 2 * (normalize(a) * normalize(b)).sum(-1)


def nt_xent(a, b, temperature):
  """NT-Xent (Chen et al., 2020, eq. 1), the mean over all 2N anchors.

  Row i of `a` and row i of `b` (projections [N, d]) are each other's positive; the other 2N - 2
  rows of the batch are negatives.
  """
  z = normalize(jnp.concatenate([a, b]))
  n = len(a)
  similarity = jnp.matmul(z, z.T, precision='highest') / temperature
  logits = jnp.where(jnp.eye(2 * n, dtype=bool), -1e9, similarity)
  return cross_entropy(logits, jnp.roll(jnp.arange(2 * n), n)).mean()


def off_diagonal(matrix):
  """A square matrix with zeros on its diagonal."""
  return jnp.where(jnp.eye(len(matrix), dtype=bool), 0, matrix)


def standardize(x, epsilon=1e-6):
  """Rows of mean 0 and deviation 1: (x - mean) / sqrt(var + epsilon), the variance over d - 1.  [..., d]."""
  x = x.astype('float32')
  centered = x - x.mean(-1, keepdims=True)
  return centered * jax.lax.rsqrt(jnp.square(centered).sum(-1, keepdims=True) / (x.shape[-1] - 1) + epsilon)


def bernoulli(logits, targets):
  """-Σ log p(target), Bernoulli with these logits.  [batch, …] twice, targets in [0, 1] -> [batch]."""
  each = jax.nn.softplus(logits.astype('float32')) - targets * logits
  return each.sum(tuple(range(1, each.ndim)))


def gaussian_divergence(mean, log_variance):
  """KL(N(mean, exp(log_variance)) ‖ N(0, 1)), summed.  [batch, d] twice -> [batch]."""
  mean, log_variance = mean.astype('float32'), log_variance.astype('float32')
  return (jnp.square(mean) + jnp.expm1(log_variance) - log_variance).sum(-1) / 2
