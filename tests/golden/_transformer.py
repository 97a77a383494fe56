"""The layers of a transformer in float64, on arrays [batch, tokens, dim]: values and pullbacks."""

import numpy as np
from scipy.special import erf

from golden import _layers

EPSILON = 1e-6  # of LayerNorm


def dense(x, p):
  flat, pull = _layers.dense(x.reshape(-1, x.shape[-1]), p)

  def pull_all(dy):
    dx, grads = pull(dy.reshape(-1, dy.shape[-1]))
    return dx.reshape(x.shape), grads

  return flat.reshape(*x.shape[:-1], -1), pull_all


def layer_norm(x, p):
  deviation = np.sqrt(x.var(-1, keepdims=True) + EPSILON)
  normal = (x - x.mean(-1, keepdims=True)) / deviation

  def pull(dy):
    d = dy * p['scale']
    dx = (d - d.mean(-1, keepdims=True) - normal * (d * normal).mean(-1, keepdims=True)) / deviation
    return dx, {'scale': (dy * normal).sum((0, 1)), 'bias': dy.sum((0, 1))}

  return normal * p['scale'] + p['bias'], pull


def gelu(x):
  below = (1 + erf(x / np.sqrt(2))) / 2
  slope = below + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
  return x * below, lambda dy: dy * slope


def attention(x, inner, outer, heads, seen=None):
  """Softmax(q k / sqrt(d)) v for each head, between two linear layers; only tokens `seen` are attended to."""
  joined, into_inner = dense(x, inner)
  batch, count, width = joined.shape
  q, k, v = joined.reshape(batch, count, 3, heads, -1).transpose(2, 0, 3, 1, 4)
  root = np.sqrt(q.shape[-1])
  hidden = 0 if seen is None else np.where(seen, 0, -np.inf)[:, None, None]
  weights = _layers.softmax(q @ k.swapaxes(-1, -2) / root + hidden)
  y, into_outer = dense((weights @ v).transpose(0, 2, 1, 3).reshape(batch, count, -1), outer)

  def pull(dy):
    d, outer_grads = into_outer(dy)
    d = d.reshape(batch, count, heads, -1).transpose(0, 2, 1, 3)
    dw = d @ v.swapaxes(-1, -2)
    scores = weights * (dw - (dw * weights).sum(-1, keepdims=True)) / root
    parts = np.stack([scores @ k, scores.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ d])
    dx, inner_grads = into_inner(parts.transpose(1, 3, 0, 2, 4).reshape(batch, count, width))
    return dx, inner_grads, outer_grads

  return y, pull


def block(x, p, heads, seen=None):
  """x + attention(norm(x)), then x + MLP(norm(x))."""
  first, into_first = layer_norm(x, p['LayerNorm_0'])
  y, into_attention = attention(first, p['Dense_0'], p['Dense_1'], heads, seen)
  middle = x + y
  second, into_second = layer_norm(middle, p['LayerNorm_1'])
  wide, into_wide = dense(second, p['Dense_2'])
  active, into_active = gelu(wide)
  narrow, into_narrow = dense(active, p['Dense_3'])

  def pull(dy):
    grads = {}
    d, grads['Dense_3'] = into_narrow(dy)
    d, grads['Dense_2'] = into_wide(into_active(d))
    d, grads['LayerNorm_1'] = into_second(d)
    dy = dy + d
    d, grads['Dense_0'], grads['Dense_1'] = into_attention(dy)
    d, grads['LayerNorm_0'] = into_first(d)
    return dy + d, grads

  return middle + narrow, pull
