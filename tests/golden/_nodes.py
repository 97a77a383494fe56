"""Nodes of a graph as dense matrices in float64: what the stub encoder of nodes sees, and propagation."""

import numpy as np


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


def see(nodes, features=None):
  """What the stub's kernel is multiplied by: ((A + I) X) of the batch's nodes."""
  features = features_of(nodes) if features is None else features
  return (reach_of(nodes) @ features)[np.asarray(nodes.index)]
