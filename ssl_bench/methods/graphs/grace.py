"""GRACE: match the two views of a node among all nodes of both views."""

from typing import Annotated

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import nt_xent
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1


def grace(
  encoder: net.Net,
  *,
  temperature: Annotated[float, POSITIVE] = 0.4,
  hidden: Annotated[int, POSITIVE] = 128,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Zhu et al., "Deep Graph Contrastive Representation Learning" (2020).

  Objective: NT-Xent between the projections of two views of all nodes, as in `simclr`: a node's
  other view against all other nodes of both views, the mean over 2N anchors.  The first view is the policy
  `strong`, the second `other`, for the paper drops edges and masks features with other probabilities in each.

  Args:
    temperature: of the softmax over cosine similarities (τ; the authors' code on Cora: 0.4, on Citeseer 0.9).
    hidden: width of the projector's hidden layer (the authors' code on Cora: 128).
    out: width of the projection (the authors' code: that of the features, on Cora 128).

  Evaluated: the encoder's features of the whole graph, before the projector.
  Projector: linear, ELU, linear, with biases.
  BatchNorm: the paper's encoder has none; a net that has it sees each view in a pass of its own.
  Memory: similarities of 2N × 2N nodes.
  Deviations: linear layers start as a truncated normal of variance 1/D.
  """
  projector = heads.projector(hidden, out, norm='none', activation='elu')
  model = net.chain(encoder=encoder, projector=projector)

  def init(key, views):
    return *model.init(key, views['a']['image']), ()

  def loss(state, views, key):
    stats, projections = state.stats, {}
    for name in ('a', 'b'):
      nodes, own = views[name]['image'], net.fold_name(key, name)
      output, stats = model.apply(state.params, stats, nodes, train=True, key=own)
      projections[name] = output['projector']
    value = nt_xent(projections['a'], projections['b'], temperature)
    return value, Aux(stats, (), {'loss/contrastive': value})

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'other')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'), kinds=('graph',))
