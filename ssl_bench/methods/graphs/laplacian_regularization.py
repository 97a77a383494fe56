"""Laplacian regularization: a network whose outputs are to be alike at the two ends of an edge."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, concatenate
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import Range

VERSION = 1


def laplacian_regularization(
  encoder: net.Net,
  classes: int,
  *,
  smooth: Literal['probabilities', 'logits', 'features'] = 'probabilities',
  weight: Annotated[float, Range(0)] = 1.0,
) -> Method:
  """Yang, Cohen and Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings" (2016),
  equation 1: manifold regularization (Belkin, Niyogi and Sindhwani 2006) on the edges of a graph.

  With a net that sees no edges, such as mlp, the graph takes part through the penalty alone, and a new node
  is classified by its features.

  Objective: mean H(y, p(x)) + weight · Σ_ij a_ij ‖f_i − f_j‖² / Σ_ij a_ij, over the edges (i, j) with both
  ends in the unlabeled batch; take all nodes by batch.whole=true.

  Args:
    smooth: what f is: the probabilities, the logits, or the encoder's features; the last is semi-supervised
      embedding (Weston et al. 2008) without its margin between nodes that no edge joins.
    weight: of the penalty.

  Evaluated: the network; under `with_ema` its average.
  BatchNorm: labeled and unlabeled nodes pass through the network together.
  Deviations: Belkin et al. have a kernel machine, Yang et al. (section 4) a network; neither what its f is
  nor its weights are given there.  They sum over edges, here is their mean.  They train without the test
  nodes and their edges; here these are in the graph, without labels, as for all methods on graphs.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    x, u, y = views['labeled']['image'], views['unlabeled']['image'], views['labeled']['label']
    out, stats = model.apply(state.params, state.stats, concatenate([x, u]), train=True, key=key)
    labeled = cross_entropy(out['head'][: len(x)], y).mean()
    of_u = out['encoder' if smooth == 'features' else 'head'][len(x) :]
    of_u = jax.nn.softmax(of_u) if smooth == 'probabilities' else of_u
    unlabeled = weight * roughness(of_u, u)
    metrics = {'loss/supervised': labeled, 'loss/unsupervised': unlabeled}
    return labeled + unlabeled, Aux(stats, (), metrics)

  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(views, init, loss, encode=encode, predict=predict, kinds=('graph',))


def roughness(values, nodes):
  """The mean of ‖f_i − f_j‖² over the edges between some nodes of a graph; 0 where there is none.

  Args:
    values: f, float32 [batch, d].
    nodes: the nodes that they belong to, none of them twice.
  """
  own = nodes.graph
  place = jnp.full(own.count, -1, 'int32').at[nodes.index].set(jnp.arange(len(nodes), dtype='int32'))
  one, other = place[own.senders], place[own.receivers]
  weights = jnp.where((one >= 0) & (other >= 0), own.weights, 0)
  apart = jnp.square(values[one] - values[other]).sum(1)
  return (weights * apart).sum() / jnp.maximum(weights.sum(), 1)
