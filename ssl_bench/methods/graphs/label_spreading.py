"""Label spreading: labels diffuse over a graph of all images, where neighbors may outvote a given label."""

from typing import Annotated, Any

import jax

from ssl_bench import graph
from ssl_bench.contract import Method, Teacher
from ssl_bench.methods.graphs._transduction import transduction
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def label_spreading(
  classes: int,
  examples: int,
  stored: Any,
  teacher: Teacher | None = None,
  *,
  alpha: Annotated[float, Range(0, 1, below=True)] = 0.99,
  neighbors: Annotated[int, Range(1)] = 7,
  width: Annotated[float, POSITIVE] = 1.0,
) -> Method:
  """Zhou et al., "Learning with Local and Global Consistency" (2004).

  There is no network and no gradient, but one graph of the unlabeled set, which includes the labeled images.
  An edge joins each image to its nearest neighbors with weight w = exp(−d² / σ²), where d is the distance of
  pixels or, where the config has a teacher, of the teacher's features of unit length.
  Where the data are a graph and there is no teacher, the edges are the given ones, with weight 1.

  Objective: the limit of F ← α S F + (1 − α) Y with S = D^(−1/2) W D^(−1/2), which is
  F = (1 − α) (I − α S)^(−1) Y, found by a sparse solve; rows are then divided by their sums.  A label
  can be outvoted, unlike in label propagation.

  Args:
    alpha: how much an image takes from its neighbors, in [0, 1) (the paper's experiments: 0.99;
      scikit-learn: 0.2).  Near 1 a class with more labels, whose flow adds up, outvotes the others: on the
      digits, with 40 labels of which the first class has ten times as many as the last, 0.99, 0.9 and 0.2
      reach 83.4 ± 5.7, 89.8 ± 6.0 and 86.4 ± 5.1 % (experiments/label_spreading_alpha.yaml, five pairs).
    neighbors: edges of each image; an edge holds where either end has chosen it (scikit-learn: 7).  Given
      edges are all used.
    width: σ in units of the root mean squared distance of the edges, so that it means the same on every
      data set; large: all edges alike.  Given edges have weight 1.

  Evaluated: on images of the graph by F (the transductive accuracy), on others by the mean of F over
  their nearest images of the graph, weighted by w (Delalleau, Bengio and Le Roux 2005, "Efficient
  Non-Parametric Function Induction in Semi-Supervised Learning").  The features are the pixels, or the
  teacher's.  Nodes of a graph have their own F; where no path leads to a label, all classes are equal, of
  which the first is predicted.  Their features are those of the data.
  BatchNorm: none.
  Deviations: a graph of nearest neighbors instead of a full one.
  """

  def believe(weights, labels):
    return graph.spread(weights, jax.nn.one_hot(labels, classes), alpha)  # of -1: zeros

  return transduction(believe, classes, examples, stored, teacher, neighbors, width)
