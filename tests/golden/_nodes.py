"""Nodes of a graph as dense matrices in float64: what the stub encoder of nodes sees, and propagation."""

import numpy as np

from golden import _layers


def features_of(nodes):
  """X [nodes of the graph, width]."""
  graph = nodes.graph
  features = np.zeros((graph.count, graph.width))
  for row, column, value in zip(*map(np.asarray, (graph.rows, graph.columns, graph.values))):
    features[row, column] += value
  return features


def reach_of(nodes):
  """A + I [nodes, nodes]: what node i (row) has of node j."""
  graph = nodes.graph
  reach = np.eye(graph.count)
  for start, end, weight in zip(*map(np.asarray, (graph.senders, graph.receivers, graph.weights))):
    reach[end, start] += weight
  return reach


def normalized(nodes):
  """D^(-1/2) (A + I) D^(-1/2)."""
  reach = reach_of(nodes)
  root = np.sqrt(reach.sum(1))
  return reach / np.outer(root, root)


def see(nodes, features=None):
  """What the stub's kernel is multiplied by: ((A + I) X) of the batch's nodes."""
  features = features_of(nodes) if features is None else features
  return (reach_of(nodes) @ features)[np.asarray(nodes.index)]


def embed(params, stats, features, reach):
  """The stub on given features: its output, the pullback to its parameters and features, and moments."""
  x = reach @ features @ params['kernel']
  y, pull_norm, moments = x, lambda dy: (dy, {}), None
  if stats:
    y, pull_norm, moments = _layers.batch_norm(x, {}, stats['batch_stats'])

  def pull(dy):
    dx = reach.T @ pull_norm(dy)[0]
    return {'kernel': features.T @ dx}, dx @ params['kernel'].T

  return y, pull, {'batch_stats': moments} if stats else stats


def attend(h, p, reach):
  """One head of graph attention by the sender alone: each node's sum of what it reaches, by a softmax."""
  raw = np.broadcast_to((h @ p['sender']).T + p['shift'], reach.shape)
  score = np.where(reach > 0, np.where(raw > 0, raw, 0.2 * raw), -np.inf)
  share = _layers.softmax(score)

  def pull(dy):
    d_share = dy @ h.T
    d = share * (d_share - (share * d_share).sum(1, keepdims=True)) * np.where(raw > 0, 1, 0.2)
    of = d.sum(0)[:, None]
    return share.T @ dy + of @ p['sender'].T, {'sender': h.T @ of, 'shift': d.sum()[None]}

  return share @ h, pull


def prelu(x, p):
  """x above zero and a learned multiple of it below."""
  slope = p['negative_slope']

  def pull(dy):
    return np.where(x >= 0, dy, slope * dy), {'negative_slope': np.asarray((np.minimum(x, 0) * dy).sum())}

  return np.where(x >= 0, x, slope * x), pull


def elu(x):
  y = np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)
  return y, lambda dy: dy * np.where(x > 0, 1, np.exp(np.minimum(x, 0)))
