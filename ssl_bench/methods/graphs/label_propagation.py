"""Label propagation: labels spread over a graph of all images until nothing changes; given labels stay."""

from typing import Annotated, Any

from ssl_bench import graph
from ssl_bench.contract import Method, Teacher
from ssl_bench.methods.graphs._transduction import transduction
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def label_propagation(
  classes: int,
  examples: int,
  stored: Any,
  teacher: Teacher | None = None,
  *,
  neighbors: Annotated[int, Range(1)] = 7,
  width: Annotated[float, POSITIVE] = 1.0,
) -> Method:
  """Zhu and Ghahramani, "Learning from Labeled and Unlabeled Data with Label Propagation" (2002).

  There is no network and no gradient, but one graph of the unlabeled set, which includes the labeled images.
  An edge joins each image to its nearest neighbors with weight w = exp(−d² / σ²), where d is the distance of
  pixels or, where the config has a teacher, of the teacher's features of unit length.
  Where the data are a graph and there is no teacher, the edges are the given ones, with weight 1.

  Objective: beliefs F with F = Y on labeled images and F_i = Σ_j w_ij F_j / Σ_j w_ij on all others, the
  fixed point of propagating and clamping; its rows sum to 1.  It minimizes Σ_ij w_ij ‖F_i − F_j‖² among
  those with F = Y on labeled images, and is found by a sparse solve.

  Args:
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
  Deviations: a graph of nearest neighbors instead of a full one; the paper divides the weights by the sums
  of columns before those of rows, here by those of rows alone, which is the harmonic solution (Zhu,
  Ghahramani and Lafferty 2003) and what scikit-learn computes.
  """
  believe = lambda weights, labels: graph.propagate(weights, labels, classes)
  return transduction(believe, classes, examples, stored, teacher, neighbors, width)
