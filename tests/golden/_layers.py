"""Layers and losses in float64: each gives its value and the pullback of its gradient.

A pullback takes the gradient in the output to those in the input and in the parameters, the latter as a
tree like the parameters'.
"""

import numpy as np

MOMENTUM, EPSILON = 0.9, 1e-5  # of BatchNorm


def add(*trees):
  """The sum of nested dicts; a leaf that a tree does not have is zero."""
  first = trees[0]
  if not isinstance(first, dict):
    return sum(trees)
  keys = {k for tree in trees for k in tree}
  return {k: add(*(tree[k] for tree in trees if k in tree)) for k in keys}


def scale(factor, tree):
  return {k: scale(factor, v) for k, v in tree.items()} if isinstance(tree, dict) else factor * tree


def log_softmax(x):
  x = x - x.max(-1, keepdims=True)
  return x - np.log(np.exp(x).sum(-1, keepdims=True))


def softmax(x):
  return np.exp(log_softmax(x))


def cross_entropy(logits, labels, mask=1.0):
  """mean_i mask_i · (−log softmax(logits_i)[label_i]) over all rows, and its gradient in the logits."""
  n, classes = logits.shape
  mask = np.broadcast_to(np.asarray(mask, float), n)
  value = -(mask * log_softmax(logits)[np.arange(n), labels]).mean()
  return value, mask[:, None] * (softmax(logits) - np.eye(classes)[labels]) / n


def unit(x):
  """Rows divided by their lengths."""
  length = np.sqrt((x**2).sum(-1, keepdims=True))
  y = x / length
  return y, lambda dy: (dy - y * (y * dy).sum(-1, keepdims=True)) / length


def dense(x, p):
  """x @ kernel + bias, if there is a bias."""
  y = x @ p['kernel'] + p.get('bias', 0)

  def pull(dy):
    return dy @ p['kernel'].T, {'kernel': x.T @ dy, **({'bias': dy.sum(0)} if 'bias' in p else {})}

  return y, pull


def batch_norm(x, p, moments):
  """Normalized over the rows with the biased variance; the running moments after it."""
  mean, var = x.mean(0), x.var(0)
  deviation = np.sqrt(var + EPSILON)
  normal = (x - mean) / deviation
  gain = p.get('scale', 1.0)
  new = {
    'mean': MOMENTUM * moments['mean'] + (1 - MOMENTUM) * mean,
    'var': MOMENTUM * moments['var'] + (1 - MOMENTUM) * var,
  }

  def pull(dy):
    d = dy * gain
    dx = (d - d.mean(0) - normal * (d * normal).mean(0)) / deviation
    grads = {'scale': (dy * normal).sum(0), 'bias': dy.sum(0)}
    return dx, {k: grads[k] for k in p}

  return normal * gain + p.get('bias', 0.0), pull, new


def embed(params, stats, images):
  """The encoder: one matrix, and normalization over the batch where there are running moments."""
  x = images @ params['kernel']
  if not stats:
    return x, lambda dy: {'kernel': images.T @ dy}, stats
  y, pull, moments = batch_norm(x, {}, stats['batch_stats'])
  return y, lambda dy: {'kernel': images.T @ pull(dy)[0]}, {'batch_stats': moments}


def classify(params, stats, images):
  """Encoder and linear head: logits."""
  features, into_encoder, moments = embed(params['encoder'], stats['encoder'], images)
  logits, into_head = dense(features, params['head']['Dense_0'])

  def pull(dy):
    d, head = into_head(dy)
    return {'encoder': into_encoder(d), 'head': {'Dense_0': head}}

  return logits, pull, {**stats, 'encoder': moments}


def perceptron(x, params, stats):
  """Linear, BatchNorm, ReLU, linear, and another BatchNorm where `params` has one."""
  moments = dict(stats['batch_stats'])
  hidden, pull_0 = dense(x, params['Dense_0'])
  normal, pull_1, moments['BatchNorm_0'] = batch_norm(hidden, params['BatchNorm_0'], moments['BatchNorm_0'])
  y, pull_2 = dense(np.maximum(normal, 0), params['Dense_1'])
  last = 'BatchNorm_1' in params
  if last:
    y, pull_3, moments['BatchNorm_1'] = batch_norm(y, params['BatchNorm_1'], moments['BatchNorm_1'])

  def pull(dy):
    grads = {}
    if last:
      dy, grads['BatchNorm_1'] = pull_3(dy)
    dy, grads['Dense_1'] = pull_2(dy)
    dy, grads['BatchNorm_0'] = pull_1(dy * (normal > 0))
    dy, grads['Dense_0'] = pull_0(dy)
    return dy, grads

  return y, pull, {'batch_stats': moments}


def project(params, stats, images):
  """Encoder and projector: projections."""
  features, into_encoder, moments = embed(params['encoder'], stats['encoder'], images)
  z, into_projector, last = perceptron(features, params['projector'], stats['projector'])

  def pull(dy):
    d, projector = into_projector(dy)
    return {'encoder': into_encoder(d), 'projector': projector}

  return z, pull, {'encoder': moments, 'projector': last}
