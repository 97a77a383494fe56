"""GRAND: predictions on several random propagations of a graph's features should agree."""

from dataclasses import replace
from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, use_all
from ssl_bench.losses import cross_entropy, squared_error
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def grand(
  encoder: net.Net,
  classes: int,
  *,
  samples: Annotated[int, Range(1, 64)] = 4,
  weight: Annotated[float, Range(0)] = 1.0,
  temperature: Annotated[float, POSITIVE] = 0.5,
) -> Method:
  """Feng et al., "Graph Random Neural Networks for Semi-Supervised Learning on Graphs" (2020).

  Each of S views is the graph after the policy `strong`, the paper's being `drop_nodes(0.5)`; the network,
  the paper's being `propagated_mlp`, sees all nodes of it.

  Objective (section 3.2, eq. 3 and 5): mean_s mean H(y, p_s(x)) + λ · mean_s mean ‖p_s(u) − p'(u)‖², where
  x are the labeled nodes in view s, u all nodes, and p' ∝ p̄^(1/T) is the sharpened mean of the S predictions,
  held constant (eq. 4).

  Args:
    samples: number of views (S; Cora 4, Citeseer 2).
    weight: of the consistency (λ; Cora 1, Citeseer 0.7).
    temperature: of the sharpening (T; Cora 0.5, Citeseer 0.3).

  Evaluated: the network on the graph as it is.
  BatchNorm: a pass for each view, of all nodes and the labeled ones once more; the moments move in each.
  Deviations: kept nodes are scaled up while training, so features are twice those of the authors' code, which
  halves them instead where it evaluates.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))
  names = [f'a{s}' for s in range(1, samples + 1)]

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    x, y = views['labeled']['image'], views['labeled']['label']
    stats, terms, each = state.stats, [], []
    for s, name in enumerate(names):
      u = views[name]['image']
      both = replace(u, index=jnp.concatenate([x.index, u.index]))
      out, stats = model.apply(state.params, stats, both, train=True, key=jax.random.fold_in(key, s))
      terms.append(cross_entropy(out['head'][: len(x)], y).mean())
      each.append(jax.nn.softmax(out['head'][len(x) :]))
    probs = jnp.stack(each)
    mean = jax.lax.stop_gradient(probs.mean(0))
    target = jax.nn.softmax(jnp.log(mean) / temperature)
    supervised = jnp.stack(terms).mean()
    consistency = weight * classes * squared_error(probs, target[None]).mean()
    metrics = {'loss/supervised': supervised, 'loss/consistency': consistency}
    return supervised + consistency, Aux(stats, (), metrics, use_all(views['a1']['index'], mean))

  views = {'labeled': View('labeled', 'weak'), **{name: View('unlabeled', 'strong') for name in names}}
  encode, predict = (net.output(model, part) for part in ('encoder', 'head'))
  return Method(views, init, loss, encode=encode, predict=predict, kinds=('graph',))
