"""Layers and losses in float64: each gives its value and the pullback of its gradient.

A pullback takes the gradient in the output to those in the input and in the parameters, the latter as a
tree like the parameters'.
"""

import math

import numpy as np

MOMENTUM, EPSILON = 0.9, 1e-5  # of BatchNorm
PLACES = np.array([0.7, -0.4, 0.5, 0.9])  # what each pixel of an image weighs in its features


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


def pool(params, stats, images):
  """The encoder of images with pixels [n, side, side, all]: sums of their pixels' embeddings, by place."""
  flat, into_encoder, moments = embed(params, stats, images.reshape(-1, images.shape[-1]))
  n, d = len(images), flat.shape[-1]

  def pull(dy):
    return into_encoder((PLACES[None, :, None] * dy[:, None]).reshape(-1, d))

  return (PLACES[:, None] * flat.reshape(n, -1, d)).sum(1), pull, moments


def mix(embedded, places=None):
  """Tokens [n, 1 + k, d] of embeddings [n, k, d]: the features, then the features plus each embedding."""
  weight = (PLACES if places is None else PLACES[places])[..., None]
  features = (weight * embedded).sum(1, keepdims=True)

  def pull(dy):
    return dy[:, 1:] + weight * dy.sum(1, keepdims=True)

  return np.concatenate([features, features + embedded], 1), pull


def classify(params, stats, images):
  """Encoder and linear head: logits."""
  encode = embed if images.ndim == 2 else pool
  features, into_encoder, moments = encode(params['encoder'], stats['encoder'], images)
  logits, into_head = dense(features, params['head']['Dense_0'])

  def pull(dy):
    d, head = into_head(dy)
    return {'encoder': into_encoder(d), 'head': {'Dense_0': head}}

  return logits, pull, {**stats, 'encoder': moments}


def relu(x):
  return np.maximum(x, 0), lambda dy: dy * (x > 0)


def gelu(x):
  """x Φ(x), where Φ is the normal distribution."""
  below = (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2
  density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
  return x * below, lambda dy: dy * (below + x * density)


def perceptron(x, params, stats, activation=relu):
  """Linear layers with activations between them, and BatchNorm after each that has running moments."""
  moments, pulls = dict(stats.get('batch_stats', {})), []
  depth = sum(name.startswith('Dense') for name in params)
  for i in range(depth):
    x, pull = dense(x, params[f'Dense_{i}'])
    pulls.append((f'Dense_{i}', pull))
    name = f'BatchNorm_{i}'
    if name in moments:
      x, pull, moments[name] = batch_norm(x, params.get(name, {}), moments[name])
      pulls.append((name, pull))
    if i < depth - 1:
      x, pull = activation(x)
      pulls.append(('', lambda dy, pull=pull: (pull(dy), {})))

  def pull_all(dy):
    grads = {}
    for name, pull in reversed(pulls):
      dy, grads[name] = pull(dy)
    return dy, {k: grads[k] for k in params}

  return x, pull_all, {'batch_stats': moments} if moments else stats


def project(params, stats, images):
  """Encoder and projector: projections."""
  features, into_encoder, moments = embed(params['encoder'], stats['encoder'], images)
  z, into_projector, last = perceptron(features, params['projector'], stats['projector'])

  def pull(dy):
    d, projector = into_projector(dy)
    return {'encoder': into_encoder(d), 'projector': projector}

  return z, pull, {'encoder': moments, 'projector': last}


def by_size(views):
  """The images of two global views, and of all small crops, if any: view after view."""
  batches = [np.concatenate([views['a']['image'], views['b']['image']])]
  if 'local' in views:
    local = views['local']['image']
    crops = [local] if local.ndim == 2 else [local[:, i] for i in range(local.shape[1])]
    batches.append(np.concatenate(crops))
  return batches


def project_batches(params, stats, batches, activation=relu):
  """Encoder on each batch by itself, projector on all rows together: projections."""
  features, pulls, moments = [], [], stats['encoder']
  for images in batches:
    x, pull, moments = embed(params['encoder'], moments, images)
    features.append(x)
    pulls.append(pull)
  ends = np.cumsum([len(x) for x in features])[:-1]
  z, into_projector, last = perceptron(
    np.concatenate(features), params['projector'], stats['projector'], activation
  )

  def pull_all(dz):
    d, projector = into_projector(dz)
    encoder = add(*(pull(part) for pull, part in zip(pulls, np.split(d, ends))))
    return {'encoder': encoder, 'projector': projector}

  return z, pull_all, {'encoder': moments, 'projector': last}


def project_each(params, stats, batches, activation=relu):
  """`project_batches`, of unit length."""
  projections, pull, moments = project_batches(params, stats, batches, activation)
  z, pull_unit = unit(projections)
  return z, lambda dz: pull(pull_unit(dz)), moments
