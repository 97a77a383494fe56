"""Target networks: slower copies of the trained one, which get no gradient.

A target is kept in the memory as (params, moments).  Its parameters are a moving average of the trained ones;
its running moments are its own, from its own passes.
"""

from typing import Any

import jax

from ssl_bench.contract import Aux, Method, State, View, Views, moving_average
from ssl_bench.losses import cosine_distance
from ssl_bench.methods._schedules import cosine_to_one
from ssl_bench.nets import core as net


def follow(state: State, name: str, decay: Any) -> State:
  """Moves the parameters of the target `memory[name]` towards the trained ones: d · old + (1 − d) · new."""
  params, moments = state.memory[name]
  trained = {part: state.params[part] for part in params}
  target = moving_average(params, trained, decay), moments
  return state._replace(memory={**state.memory, name: target})


class OnlineTarget:
  """An online network with a predictor, and the target whose projections it predicts (BYOL, MoCo v3, BGRL).

  Online: encoder, projector, predictor.  Target: a moving average of encoder and projector.  Every view has a
  pass of its own, and so moments of its own, in both.  Without a projector, features are predicted.
  """

  def __init__(self, encoder: net.Net, projector: net.Net | None, predictor: net.Net):
    self.encoder, self.predictor = encoder, predictor
    parts = {'encoder': encoder} | ({} if projector is None else {'projector': projector})
    self.branch, self.end = net.chain(**parts), list(parts)[-1]

  def init(self, key: jax.Array, views: Views) -> tuple[Any, Any, Any]:
    """(params, stats, memory) for views 'a' and 'b'; the target starts as a copy of the online network."""
    images = views['a']['image']
    params, stats = self.branch.init(jax.random.fold_in(key, 0), images)
    seen, _ = self.branch.apply(params, stats, images, train=False)
    own, moments = self.predictor.init(jax.random.fold_in(key, 1), seen[self.end])
    online = {**params, 'predictor': own}, {**stats, 'predictor': moments}
    return *online, {'target': (params, stats)}

  def see(self, state: State, views: Views, key: jax.Array) -> tuple[Any, Any, Any, Any]:
    """(predictions of a and b, the target's projections of a and b, stats, memory); arrays are [batch, d]."""
    a, b = views['a']['image'], views['b']['image']
    keys = [jax.random.fold_in(key, i) for i in range(4)]
    q_a, stats = self._predict(state.params, state.stats, a, keys[0])
    q_b, stats = self._predict(state.params, stats, b, keys[1])
    params, moments = state.memory['target']
    z_a, moments = self.branch.apply(params, moments, a, train=True, key=keys[2])
    z_b, moments = self.branch.apply(params, moments, b, train=True, key=keys[3])
    return (q_a, q_b), (z_a[self.end], z_b[self.end]), stats, {'target': (params, moments)}

  def _predict(self, params: Any, stats: Any, images: jax.Array, key: jax.Array) -> tuple[jax.Array, Any]:
    """The online prediction [batch, d], and the moments after this pass."""
    seen, new = self.branch.apply(params, stats, images, train=True, key=key)
    predicted, last = self.predictor.apply(
      params['predictor'], stats['predictor'], seen[self.end], train=True
    )
    return predicted, {**new, 'predictor': last}

  def encode(self, state: State, images: jax.Array) -> jax.Array:
    """The online encoder's features [batch, d], in evaluation mode."""
    return self.encoder.apply(state.params['encoder'], state.stats['encoder'], images, train=False)[0]


def bootstrap(pair: OnlineTarget, views: dict[str, View], steps: Any, ema_decay: Any, **more: Any) -> Method:
  """The method that BYOL and BGRL share: ‖q̂_a − ẑ_b‖² + ‖q̂_b − ẑ_a‖², the mean over rows; hats: unit length.

  The target's decay rises from `ema_decay` to 1 along a cosine.  `more` goes to `Method`.
  """

  def loss(state, views, key):
    (q_a, q_b), (z_a, z_b), stats, memory = pair.see(state, views, key)
    value = (cosine_distance(q_a, z_b) + cosine_distance(q_b, z_a)).mean()
    return value, Aux(stats, memory, {'loss/prediction': value})

  def update(state):
    return follow(state, 'target', cosine_to_one(ema_decay, state.step, steps))

  return Method(views, pair.init, loss, encode=pair.encode, update=update, **more)
