"""Correct and Smooth: a trained classifier's errors, and then its predictions, spread over given edges."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench import graph
from ssl_bench.contract import Method, Teacher
from ssl_bench.methods.graphs._transduction import VIEWS, on_given_edges
from ssl_bench.settings.signature import BadSetting, Range

VERSION = 1

LARGEST = 1000  # factor of a correction; one that would need more stays as it is (the authors' code)
Alpha = Annotated[float, Range(0, 1, below=True)]


def correct_and_smooth(
  classes: int,
  examples: int,
  teacher: Teacher,
  *,
  correct: Alpha = 0.98,
  smooth: Alpha = 0.76,
) -> Method:
  """Huang, He, Singh, Lim and Benson, "Combining Label Propagation and Simple Models Out-performs Graph
  Neural Networks" (2021).

  The teacher is another trial's trained classifier (`teacher` in the config), such as an mlp that sees no
  edges.  There is no gradient: its probabilities Z [nodes, classes] are corrected and smoothed by two
  diffusions over the edges of the graph, with S = D^(−1/2) A D^(−1/2):

  Correct: the errors E = Y − Z of labeled nodes, 0 elsewhere, spread to Ê = (1 − α)(I − α S)^(−1) E.  Each
  node's correction is scaled to the mean size σ of the errors of labeled nodes ("Autoscale"):
  Z_i + σ Ê_i / ‖Ê_i‖₁, where σ is the mean of ‖E_j‖₁.
  Smooth: with the labels Y in place of the corrected predictions of labeled nodes, these spread likewise.

  Objective: none beyond the teacher's own; each diffusion of some G minimizes tr(Fᵀ(I − S)F) + μ ‖F − G‖²
  with α = 1 / (1 + μ).

  Args:
    correct: α of the errors, in [0, 1) (the authors' code for an MLP on ogbn-arxiv: 0.979, found by a search
      on validation).
    smooth: α of the predictions, in [0, 1) (there: 0.756).

  Evaluated: the smoothed predictions, of every node; the features are the teacher's.
  BatchNorm: the teacher's.
  Deviations: both diffusions are solved to the end, where the authors' code stops after 50 iterations and
  keeps every value of an iteration within [−1, 1] or [0, 1]; here negative values are set to 0 at the end.
  That code also tries D^(−1)A and A D^(−1) in place of S.  As in it, a correction whose factor σ / ‖Ê_i‖₁
  would be above 1,000 stays as it is.  Labels of the validation part, which it may add in the second
  diffusion, are never used.  The paper's other way to scale corrections, "FDiff-scale", is not here.
  """
  if teacher.predict is None:
    raise BadSetting('correct_and_smooth needs a teacher with a classifier; write teacher.method=supervised.')

  def believe(edges, labels, nodes):
    known = (labels >= 0)[:, None]
    base, truth = jax.nn.softmax(teacher.predict(nodes)), jax.nn.one_hot(labels, classes)
    errors = jnp.where(known, truth - base, 0)
    usual = jnp.abs(errors).sum() / jnp.maximum(known.sum(), 1).astype('float32')
    correction = diffuse(edges, errors, correct)
    size = jnp.abs(correction).sum(1, keepdims=True)
    factor = usual / jnp.where(size > 0, size, 1)
    corrected = base + jnp.where((size > 0) & (factor <= LARGEST), factor, 1) * correction
    return jnp.maximum(diffuse(edges, jnp.where(known, truth, corrected), smooth), 0)

  given = on_given_edges(believe, classes, examples)
  return Method(
    VIEWS,
    given.init,
    None,
    encode=lambda state, nodes: teacher.encode(nodes),
    predict=given.predict,
    refresh=given.refresh,
    transduce=given.transduce,
    kinds=('graph',),
  )


def diffuse(edges, values, alpha):
  """`graph.spread` of values of both signs [n, d]."""
  both = jnp.concatenate([jnp.maximum(values, 0), jnp.maximum(-values, 0)], 1)
  up, down = jnp.split(graph.spread(edges, both, alpha), 2, axis=1)
  return up - down
