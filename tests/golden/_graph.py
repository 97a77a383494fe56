"""Graphs of neighbors as dense matrices in float64, one point after the other."""

import numpy as np


def nearest(points, k):
  """Squared distances [n, n], and whether j is among the k nearest others of i."""
  squared = ((points[:, None] - points[None]) ** 2).sum(-1)
  chosen = np.zeros(squared.shape, bool)
  for i, row in enumerate(squared):
    others = [j for j in np.argsort(row, kind='stable') if j != i]
    chosen[i, others[:k]] = True
  return squared, chosen


def gaussian(points, k, width):
  """Symmetric weights exp(-d² / scale) where either end has chosen the other; and the scale."""
  squared, chosen = nearest(points, k)
  scale = width**2 * squared[chosen].mean()
  return np.where(chosen | chosen.T, np.exp(-squared / scale), 0), scale


def one_hot(n, labeled, classes):
  """Y [n, classes]: zero where there is no label."""
  targets = np.zeros((n, classes))
  targets[labeled['index'], labeled['label']] = 1
  return targets


def shares(beliefs):
  """Rows that sum to 1; a row of zeros is uniform."""
  rows = [row / row.sum() if row.sum() > 0 else np.full(len(row), 1 / len(row)) for row in beliefs]
  return np.array(rows)


def normalized(weights):
  """D^(-1/2) W D^(-1/2)."""
  root = np.sqrt(weights.sum(1))
  return weights / np.outer(root, root)


def stored(images):
  """The uint8 images [n, 8, 8, 1] of pixels in [-1, 1]."""
  return np.round((images + 1) * 127.5).reshape(-1, 8, 8, 1)
