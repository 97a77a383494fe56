"""What CoMatch and SimMatch share: embeddings beside the classes, and predictions aligned by a window."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from ssl_bench.contract import State, Views, concatenate
from ssl_bench.losses import normalize
from ssl_bench.methods._queue import push
from ssl_bench.methods.pseudo_labels._weak_to_strong import corrected
from ssl_bench.nets import core as net
from ssl_bench.nets import heads

FLOOR = 1e-6  # of the marginal that predictions are divided by


class Embedder:
  """An encoder with a linear classifier, and a projector to embeddings of unit length.

  The projector is linear, ReLU, linear, as wide as the features, and has no BatchNorm.
  """

  def __init__(self, encoder: net.Net, classes: int, out: int):
    self.model = net.chain(encoder=encoder, head=heads.linear(classes))
    self.projector = heads.projector(None, out, norm='none')

  def init(self, key: jax.Array, images: jax.Array) -> tuple[Any, Any]:
    """(params, stats)."""
    params, stats = self.model.init(key, images)
    features = self.model.apply(params, stats, images, train=False)[0]['encoder']
    more, no_moments = net.init_each(key, projector=(self.projector, features))
    return params | more, stats | no_moments

  def see(self, state: State, views: Views, names: Sequence[str], key: jax.Array) -> tuple[Any, Any, Any]:
    """Logits and embeddings of each view, and the moments after the one pass of all views together."""
    images = [views[name]['image'] for name in names]
    seen, stats = self.model.apply(state.params, state.stats, concatenate(images), train=True, key=key)
    own = state.params['projector'], state.stats['projector']
    z = normalize(self.projector.apply(*own, seen['encoder'], train=True)[0])
    ends = [sum(map(len, images[: i + 1])) for i in range(len(images) - 1)]
    return jnp.split(seen['head'], ends), jnp.split(z, ends), {**state.stats, **stats}


def aligned(logits: jax.Array, marginals: jax.Array, view: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
  """(the prediction p, logits of p̃ ∝ p / m, the new marginals) of weak views, all held constant.

  m is the mean of p over the latest batches, this one among them: `marginals` [window, classes] has a row for
  each, and rows that are not filled are zero.  `view` may hold a `log_prior` by which p is corrected as well.
  """
  own = jax.nn.softmax(jax.lax.stop_gradient(logits))
  marginals = push(marginals, own.mean(0, keepdims=True))
  mean = marginals.sum(0) / marginals.sum()
  prior = view.get('log_prior', 0.0) - jnp.log(mean + FLOOR)
  return own, corrected(logits, {'log_prior': prior}), marginals
