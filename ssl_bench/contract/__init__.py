"""The one abstraction: a method is a NamedTuple of pure functions over one State."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

INIT = 2**31 - 1  # folded into the root key for `init`
REFRESH = INIT - 1  # … and for `refresh`; no step ever reaches either


class State(NamedTuple):
  """Everything a run is.  A pytree: checkpoint it, shard it, vmap it."""

  key: jax.Array  # root key; never split, only folded with `step`
  step: jax.Array  # int32 [], optimizer steps taken
  params: Any  # what the optimizer moves; its first level names the optimizer's groups
  stats: Any  # what the network observes (BatchNorm)
  memory: Any  # what the method remembers (teacher, queue, marginals)
  opt_state: Any


class View(NamedTuple):
  """One way of looking at a stream; `copies` > 1 puts an axis after the batch's."""

  stream: str  # 'labeled' or 'unlabeled'
  augment: str  # the name of a policy: 'weak', 'strong', 'other' or 'local'
  copies: int = 1


class PseudoLabels(NamedTuple):
  """What a method believed of its unlabeled batch: for the log, which knows the hidden labels."""

  index: jax.Array  # type: ignore[assignment]  # int32 [batch], positions in the unlabeled set
  label: jax.Array  # int32 [batch]
  confidence: jax.Array  # float32 [batch], in [0, 1]
  mask: jax.Array  # float32 or bool [batch], which of them the loss used
  probs: jax.Array | None = None  # float32 [batch, classes], what the network itself believed


class Belief(NamedTuple):
  """Pseudo-labels of a batch, held constant, after whatever a combinator has to say."""

  label: jax.Array  # int32 [batch]
  confidence: jax.Array  # float32 [batch]
  keep: Any  # bool [batch], or True: which of them may be used
  probs: jax.Array  # float32 [batch, classes], what the network itself believes


class Aux(NamedTuple):
  """What a loss leaves behind besides its value: the rest of the next state, and the log."""

  stats: Any
  memory: Any
  metrics: Mapping[str, jax.Array]  # scalars; the terms of the loss are named `loss/…` and sum to it
  pseudo: PseudoLabels | None = None


class Log(NamedTuple):
  """What one step reports."""

  metrics: Mapping[str, jax.Array]
  pseudo: PseudoLabels | None


class Method(NamedTuple):
  """A semi-supervised or self-supervised method.

  One whose `loss` is None learns without gradients: no step is taken, `refresh` is called once; without a
  `refresh` either, nothing is learned, and it is the floor that others stand on.
  """

  views: Mapping[str, View]
  init: Callable  # (key, views) -> (params, stats, memory)
  loss: Callable | None  # (state, views, key) -> (scalar, Aux); differentiated in state.params
  encode: Callable  # (state, images) -> features [batch, d]
  predict: Callable | None = None  # (state, images) -> logits [batch, classes]
  update: Callable = lambda state: state  # after the optimizer: teachers, constraints on params
  refresh: Callable | None = None  # (state, data, key, tx) -> state, between epochs
  believes: str | None = None  # the view whose pseudo-labels it makes by `believe`, so that combinators can
  sample: Callable | None = None  # (state, key, size) -> positions of the next unlabeled batch, none twice
  embed: Callable | None = None  # (state, inputs, 'image' or 'text') -> unit vectors of one space
  trainings: int = 1  # from the start, by `refresh`, of equal length: each has the optimizer's whole schedule
  transduce: Callable | None = None  # (state) -> logits [examples, classes] of the unlabeled set itself
  pixels: bool = False  # whether it works on the pixels themselves, which texts do not have


def scale(images, kind: str = 'image'):
  """uint8 [0, 255] -> float32 [-1, 1], the pixel scale of every method (FixMatch's code); tokens -> int32."""
  return images.astype('int32') if kind == 'tokens' else images.astype('float32') / 127.5 - 1


def look_at_all(function: Callable, images, rows: int = 256, kind: str = 'image'):
  """A function of scaled images [b, H, W, C] over all uint8 images [n, H, W, C], `rows` at a time.

  For `refresh`; an image's result may not depend on the others that it is shown with.
  """
  one = lambda image: jax.tree.map(lambda x: x[0], function(scale(image, kind)[None]))
  return jax.lax.map(one, images, batch_size=min(rows, len(images)))


class Teacher(NamedTuple):
  """Another trial's trained network, as the fact `teacher` of a factory: data, so no gradient reaches it."""

  encode: Callable  # images -> features [batch, d]
  predict: Callable | None  # images -> logits [batch, classes], or None where it has no classifier
  params: Any  # what was trained, by its first level; the average where that is evaluated
  stats: Any


def look(views: Mapping[str, View], batch, augment, key) -> dict[str, dict[str, jax.Array]]:
  """Augments each requested stream on device.

  Args:
    views: what the method wants to see, by name.
    batch: stream name -> {'image': uint8 [batch, H, W, C], …}; what else a stream holds is passed on.
    augment: policy name -> function (key, image) -> image, of one image.
    key: a view's own key depends on its name only, so adding a view does not change another.
  """

  def one(name: str, view: View):
    stream = batch[view.stream]
    shape = (len(stream['image']),) + (view.copies,) * (view.copies > 1)
    keys = jax.random.split(jax.random.fold_in(key, hash_name(name)), shape)
    policy = augment[view.augment]
    many = jax.vmap(policy, (0, None)) if view.copies > 1 else policy
    return {**stream, 'image': jax.vmap(many)(keys, stream['image'])}

  return {name: one(name, view) for name, view in views.items()}


def multi_crop(crops: int) -> dict[str, View]:
  """Two global views of an image, and as many small crops of it (Caron et al., 2020); none is allowed."""
  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'other')}
  return views | ({'local': View('unlabeled', 'local', crops)} if crops else {})


def by_size(views: Mapping[str, Any]) -> list[jax.Array]:
  """The images of `multi_crop`, view after view: [2 · batch, …] and, if any, [crops · batch, …]."""
  a, b = views['a']['image'], views['b']['image']
  batches = [jnp.concatenate([a, b])]
  if 'local' in views:
    local = views['local']['image']
    batches += [local.swapaxes(0, 1).reshape(-1, *local.shape[2:]) if local.ndim > a.ndim else local]
  return batches


def hash_name(name: str) -> int:
  """A number below 2^31 - 1 that is the same in every process (`hash` is not)."""
  return int.from_bytes(name.encode(), 'big') % (2**31 - 1)


def init_state(method: Method, tx: optax.GradientTransformation, augment, key, batch) -> State:
  """The state before the first step; real views are looked at, so no shape is inferred."""
  look_key, init_key = jax.random.split(jax.random.fold_in(key, INIT))
  params, stats, memory = method.init(init_key, look(method.views, batch, augment, look_key))
  return State(key, jnp.zeros((), 'int32'), params, stats, memory, tx.init(params))


def make_step(method: Method, tx: optax.GradientTransformation, augment, estimate=jax.value_and_grad):
  """The training step that every method shares: (state, batch) -> (state, Log).

  `estimate` stands where `jax.value_and_grad` stands: a gradient estimator (accumulation, SAM,
  DP-SGD) plugs in here.
  """

  def objective(params, state, views, key):
    assert method.loss is not None
    return method.loss(state._replace(params=params), views, key)

  def step(state: State, batch) -> tuple[State, Log]:
    look_key, loss_key = jax.random.split(jax.random.fold_in(state.key, state.step))
    views = look(method.views, batch, augment, look_key)
    (loss, aux), grads = estimate(objective, has_aux=True)(state.params, state, views, loss_key)
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    state = State(
      state.key,
      state.step + 1,
      optax.apply_updates(state.params, updates),
      aux.stats,
      aux.memory,
      opt_state,
    )
    metrics = {'loss': loss, 'grad_norm': optax.tree.norm(grads), **aux.metrics}
    return method.update(state), Log(metrics, aux.pseudo)

  return step


def make_refresh(method: Method, tx: optax.GradientTransformation):
  """What happens between epochs, as pure as a step: (state, data) -> state.

  `data` has 'unlabeled' {'image': uint8 [n, H, W, C]} and 'labeled' {'image', 'label', 'index': the places in
  the unlabeled set, 'valid': whether it is one, since the labeled ones are padded}.
  """

  def refresh(state: State, data) -> State:
    key = jax.random.fold_in(jax.random.fold_in(state.key, REFRESH), state.step)
    return method.refresh(state, data, key, tx) if method.refresh else state

  return refresh


def believe(logits, view) -> Belief:
  """Pseudo-labels from the logits [batch, classes] on a view.

  A combinator speaks through the view: its `log_prior` [classes] is added to the logits, and images that are
  not in its `keep` [batch] are not to be used.
  """
  logits = jax.lax.stop_gradient(logits)
  probs = jax.nn.softmax(logits)
  corrected = jax.nn.softmax(logits + view['log_prior']) if 'log_prior' in view else probs
  return Belief(corrected.argmax(-1), corrected.max(-1), view.get('keep', True), probs)


def moving_average(old, new, decay):
  """`decay · old + (1 - decay) · new`, leaf by leaf, in the dtype of `old`."""
  return jax.tree.map(lambda o, n: (decay * o + (1 - decay) * n).astype(o.dtype), old, new)


def warm(decay, step):
  """The decay of a moving average after `step` updates: min(decay, (1 + step) / (10 + step)).

  So a short run's average is not mostly its initialization (TensorFlow's ExponentialMovingAverage).
  """
  t = step.astype('float32')
  return jnp.minimum(decay, (1 + t) / (10 + t))


def with_ema(method: Method, *, decay) -> Method:
  """The same method, evaluated with the exponential moving average of its parameters.

  The decay starts low (`warm`), and again, from the new parameters, where `refresh` replaces them.
  Parameters are averaged; BatchNorm's moments are the raw model's, as in FixMatch's code.
  """

  sample = method.sample

  def inner(s: State) -> State:
    return s._replace(memory=s.memory['inner'])

  def averaged(s: State) -> State:
    return inner(s)._replace(params=s.memory['ema'])

  def wrap(s: State, ema, began) -> State:
    return s._replace(memory={'inner': s.memory, 'ema': ema, **began})

  def init(key, views):
    params, stats, memory = method.init(key, views)
    began = {'began': jnp.zeros((), 'int32')} if method.refresh else {}
    return params, stats, {'inner': memory, 'ema': params, **began}

  def loss(s, views, key):
    assert method.loss is not None
    value, aux = method.loss(inner(s), views, key)
    return value, aux._replace(memory={**s.memory, 'inner': aux.memory})

  def update(s):
    new = method.update(inner(s))
    began = {'began': s.memory['began']} if method.refresh else {}
    age = new.step - began.get('began', 0)
    return wrap(new, moving_average(s.memory['ema'], new.params, warm(decay, age)), began)

  def relabel(refresh):
    def renew(s, data, key, tx):
      new = refresh(inner(s), data, key, tx)
      moved = jnp.zeros((), bool)
      for old, leaf in zip(jax.tree.leaves(s.params), jax.tree.leaves(new.params)):
        moved |= (old != leaf).any()
      ema = jax.tree.map(lambda e, p: jnp.where(moved, p, e), s.memory['ema'], new.params)
      return wrap(new, ema, {'began': jnp.where(moved, new.step, s.memory['began'])})

    return renew

  def read(look):
    return lambda s, *inputs: look(averaged(s), *inputs)

  return method._replace(
    init=init,
    loss=method.loss and loss,
    update=update,
    refresh=method.refresh and relabel(method.refresh),
    sample=sample and (lambda s, key, size: sample(inner(s), key, size)),
    encode=read(method.encode),
    predict=method.predict and read(method.predict),
    embed=method.embed and read(method.embed),
    transduce=method.transduce and read(method.transduce),
  )


def without_average(state: State) -> State:
  """A state of `with_ema` as if its average were the raw parameters: evaluate this to see those."""
  return state._replace(memory={**state.memory, 'ema': state.params})
