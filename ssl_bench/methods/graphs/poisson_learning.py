"""Poisson learning: labels are sources and sinks on a graph of all images, and flow until they balance."""

from typing import Annotated, Any

import jax

from ssl_bench import graph
from ssl_bench.contract import Method, Teacher
from ssl_bench.methods.graphs._transduction import transduction
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def poisson_learning(
  classes: int,
  examples: int,
  stored: Any,
  teacher: Teacher | None = None,
  *,
  neighbors: Annotated[int, Range(1)] = 10,
  width: Annotated[float, POSITIVE] = 1.0,
) -> Method:
  """Calder, Cook, Thorpe and Slepčev, "Poisson Learning: Graph Based Semi-Supervised Learning At Very Low
  Label Rates" (2020).

  There is no network and no gradient, but one graph of the unlabeled set, which includes the labeled images,
  made as by `label_propagation`: the given edges where the data are a graph and the config has no teacher;
  else an edge joins each image to its nearest neighbors by pixels or by the teacher's features.

  Objective: potentials u with Σ_j w_ij (u_i − u_j) = Σ_j (y_j − ȳ) δ_ij, where the sum on the right is over
  the labeled images and ȳ is the mean of their labels, and Σ_i d_i u_i = 0 with the degrees d_i; found by a
  sparse solve.  An image has the class of its largest potential.

  Args:
    neighbors: edges of each image; an edge holds where either end has chosen it (the authors' examples: 10).
      Given edges are all used.
    width: σ of the weights w = exp(−d² / σ²), in units of the root mean squared distance of the edges; large:
      all edges alike.  Given edges have weight 1.

  Evaluated: beliefs, the softmax of u times the mean degree: on images of the graph (the transductive
  accuracy), on others the mean over their nearest images of the graph, weighted by w.  Nodes of a graph have
  their own.  The features are the pixels, or the teacher's, or those of the nodes.
  BatchNorm: none.
  Deviations: the paper has connected graphs.  Here each connected part is solved by itself, with the ȳ of its
  own labels, since sources that do not add up to 0 have no solution; where all labels of a part are of one
  class, that class is predicted, and where there is none, all classes are equal, of which the first is
  predicted.  No prior of the classes weighs the potentials.  Poisson MBO, the paper's second method, is not
  here.
  """

  def believe(weights, labels):
    return jax.nn.softmax(graph.poisson(weights, labels, classes))

  return transduction(believe, classes, examples, stored, teacher, neighbors, width)
