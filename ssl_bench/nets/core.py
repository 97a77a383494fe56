"""`Net`: a network as two pure functions.  Only the modules of this folder import Flax.

Batch statistics are those of the whole batch: under `jit` over a mesh with Auto axes and a sharded batch
they are global, with no axis name and no collective written here.
"""

import zlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.data.text import MASK as MASK
from ssl_bench.data.text import PAD as PAD
from ssl_bench.data.text import VOCABULARY as VOCABULARY
from ssl_bench.settings.signature import BadSetting

Dtype = Literal['float32', 'bfloat16']  # of the computation; parameters, statistics and outputs are float32


class Net(NamedTuple):
  """A network as two pure functions.

  `init(key, *inputs) -> (params, stats)`: `params` is what an optimizer moves, `stats` is what the network
  observes (running moments; `{}` where it has none).  Only shapes and dtypes of the inputs matter; under
  `jit` no forward pass is compiled.

  `apply(params, stats, *inputs, train, key=None, **options) -> (output, stats)`: with `train` true, batch
  statistics and dropout (drawn from `key`) are used and the new `stats` are returned; with `train` false,
  the running statistics are used and the same `stats` are returned.  To leave the running statistics
  untouched by a training pass, drop what it returns.

  `patch`: where the input is cut into square patches that become tokens, their side in pixels; such a net
  takes the options `keep`, `seen`, `mask`, `tokens` and `layers` (see `nets.vit`).

  `features_and_tokens`: where the option `tokens=True` gives the features of places in an image, what takes
  its output apart: -> (features [B, D], tokens [B, P, D]).  The features are those without the option; the
  tokens are of the places row by row, as of patches or of a feature map, and a class token is none of them.

  `kinds` are those of the data that it reads (`ssl_bench.kinds`): images, float32 [B, H, W, C], and the
  spectrograms of sounds, [B, frames, bands, 1]; tokens, whole numbers [B, L] or [B, L, 1, 1]; `Nodes` of a
  graph; series, float32 [B, L, C]; rows of a table, float32 [B, values].
  """

  init: Callable[..., tuple[Any, Any]]
  apply: Callable[..., tuple[Any, Any]]
  patch: int | None = None
  features_and_tokens: Callable[[jax.Array], tuple[jax.Array, jax.Array]] | None = None
  kinds: tuple[str, ...] = ('image', 'audio')

  @property
  def kind(self) -> str:
    """The kind of data that it is first of all made for."""
    return self.kinds[0]


def from_linen(module: nn.Module) -> Net:
  """A Linen module whose `__call__` takes arrays, a keyword `train`, and options of its own."""

  def init(key, *inputs):
    variables = dict(module.init({'params': key}, *inputs, train=False))
    return variables.pop('params', {}), variables

  def apply(params, stats, *inputs, train: bool, key=None, **options):
    _check_scale(inputs[0])
    output, new = module.apply(
      {'params': params, **stats},
      *inputs,
      train=train,
      **options,
      mutable=list(stats) if train else [],
      rngs={} if key is None else {'dropout': key},
    )
    return output, dict(new) if train else stats

  return Net(init, apply)


def _check_scale(images: Any) -> None:
  """Raises `BadSetting` for images and sounds as they are stored, which are on another scale."""
  if getattr(images, 'dtype', None) == 'uint8' and images.ndim == 4 and images.shape[2:] != (1, 1):
    raise BadSetting('A network reads images on the scale [-1, 1], not uint8; call ssl_bench.contract.scale.')
  if getattr(images, 'dtype', None) == 'int16':
    raise BadSetting('A network reads spectrograms of sounds, not samples; call ssl_bench.contract.scale.')


def chain(**nets: Net) -> Net:
  """Composes nets left to right; the output is a dict of every intermediate, by name.

  Inputs and options go to the first net.  `params` and `stats` are dicts by name, and a part can be run
  alone with them: `head.apply(params['head'], stats['head'], features, train=False)`.
  """

  def init(key, *inputs):
    params, stats = {}, {}
    for name, net in nets.items():
      params[name], stats[name] = net.init(fold_name(key, name), *inputs)
      output, _ = net.apply(params[name], stats[name], *inputs, train=False)
      inputs = (output,)
    return params, stats

  def apply(params, stats, *inputs, train: bool, key=None, **options):
    outputs, new = {}, {}
    for name, net in nets.items():
      own = None if key is None else fold_name(key, name)
      outputs[name], new[name] = net.apply(
        params[name], stats[name], *inputs, train=train, key=own, **options
      )
      inputs, options = (outputs[name],), {}
    return outputs, new

  return Net(init, apply)


def mean_and_tokens(seen: jax.Array) -> tuple[jax.Array, jax.Array]:
  """[B, P, D] -> ([B, D], [B, P, D]): `features_and_tokens` of a net that ends with the mean of its map."""
  return seen.mean(1), seen


def as_tokens(x: jax.Array) -> jax.Array:
  """A feature map [B, H, W, D] as tokens [B, H·W, D], row by row; float32."""
  return x.reshape(len(x), -1, x.shape[-1]).astype(jnp.float32)


def starting_from(encoder: Net, teacher: Any) -> Net:
  """The encoder, whose parameters and statistics begin as those of a teacher's encoder.

  `teacher` has `params` and `stats` by the names of its parts.  Where it has no encoder, or another one,
  initializing raises `BadSetting`.
  """

  def init(key, *inputs):
    own = jax.eval_shape(encoder.init, key, *inputs)
    found = teacher.params.get('encoder'), teacher.stats.get('encoder')
    if jax.tree.map(jnp.shape, found) != jax.tree.map(jnp.shape, own):
      raise BadSetting(
        "The encoder goes on from its teacher's; take a teacher that trains a net, and give both the same."
      )
    return found

  return encoder._replace(init=init)


def each(net: Net) -> Net:
  """The net on several batches [B, …], whose images may be of several sizes: a pass for each, in turn.

  The output holds the rows of all of them, in order; BatchNorm sees each batch by itself.
  """

  def init(key, *batches):
    return net.init(key, batches[0])

  def apply(params, stats, *batches, train: bool, key=None, **options):
    outputs = []
    for i, images in enumerate(batches):
      own = None if key is None else jax.random.fold_in(key, i)
      output, stats = net.apply(params, stats, images, train=train, key=own, **options)
      outputs.append(output)
    if len({output.shape[1:] for output in outputs}) > 1:
      raise BadSetting('The number of features goes by the size of images; choose a net for any size.')
    return jnp.concatenate(outputs), stats

  return Net(init, apply)


def init_each(key: jax.Array, **nets: tuple[Any, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
  """`init_each(key, generator=(net, z), discriminator=(net, x)) -> (params, stats)`, dicts by name.

  A net's initial values depend on the key and its name only, so the same key may serve several calls
  with different names.
  """
  made = {name: net.init(fold_name(key, name), *inputs) for name, (net, *inputs) in nets.items()}
  return {name: params for name, (params, _) in made.items()}, {
    name: stats for name, (_, stats) in made.items()
  }


def fold_name(key: jax.Array, name: str) -> jax.Array:
  """A key of its own for each name, the same in every process."""
  return jax.random.fold_in(key, np.uint32(zlib.crc32(name.encode())))


def output(model: Net, part: str, weights: Callable[..., Any] | None = None) -> Callable[..., jax.Array]:
  """The function (state, images) -> output of one part of a chain, in evaluation mode.

  A method's `encode` is `net.output(model, 'encoder')`, its `predict` `net.output(model, 'head')`.
  `weights`: state -> (params, stats) to evaluate, such as a teacher's; the state's own by default.
  """
  weights = weights or (lambda state: (state.params, state.stats))
  return lambda state, images: model.apply(*weights(state), images, train=False)[0][part]


def read(model: Net, weights: Callable | None = None, *, head: str | None = 'head') -> dict[str, Callable]:
  """`encode` and, unless `head` is None, `predict` of a chain, as keywords of `Method`; see `output`."""
  parts = {'encode': 'encoder'} | ({'predict': head} if head else {})
  return {name: output(model, part, weights) for name, part in parts.items()}
