"""MSN: from a view with dropped patches, predict the prototypes that a target network has for another."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import entropy, normalize, sinkhorn, soft_cross_entropy
from ssl_bench.methods._multi_crop import by_size, multi_crop
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.methods._target import follow
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting, Range, Static

VERSION = 1


def msn(
  encoder: net.Net,
  shape: tuple[int, ...],
  steps: float,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  sharpening: Annotated[float, POSITIVE] = 0.25,
  dropping: Annotated[Static, Range(0, 1, below=True)] = 0.15,
  weight: Annotated[float, Range(0)] = 1.0,
  exponent: Annotated[float, Range(0)] = 0.0,
  equalized: bool = True,
  iterations: Annotated[int, POSITIVE] = 3,
  ema_decay: Annotated[float, UNIT] = 0.996,
  crops: Annotated[int, Range(0)] = 10,
  prototypes: Annotated[int, POSITIVE] = 1024,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
  batch_norm: bool = True,
) -> Method:
  """Assran et al., "Masked Siamese Networks for Label-Efficient Learning" (2022), and with `exponent` the
  power-law prior of Assran et al., "The Hidden Uniform Cluster Prior in Self-Supervised Learning" (2023).

  Of each image there are a target view, an anchor view and small crops, which are anchors, too.  The encoder
  is a net of patches (`vit`); it does not see the patches that are dropped of the anchor view.

  Objective (the authors' code): H(q, p) + λ KL(p̄ ‖ π).  p = softmax(cos(z, c_k) / τ) over the prototypes c_k
  for the projection z of an anchor, the mean over anchors and images; p̄ is the mean of all p.  q is that of
  the target network for the target view, held constant: p^(1/T), normalized, and, if asked, made by Sinkhorn
  and Knopp's iterations to use all prototypes equally.  π_k is proportional to k^(−exponent): with 0 it is
  even, and the second term is ln K less the entropy of p̄ (MSN's "me-max").

  Memory: the target network, its moments its own.  Its decay rises in a line towards 1, of which it makes
  four fifths of the way, as in the authors' code.

  Args (numbers are those of the authors' config for ViT-S/16):
    temperature: τ (0.1).
    sharpening: T (0.25).
    dropping: share of the anchor view's patches that are dropped, at random in each image (0.15).
    weight: λ (1).
    exponent: of the power law of the prior (0; the second paper has 0.25 for data with a long tail).
    equalized: whether Sinkhorn and Knopp's iterations are made (yes).
    iterations: of columns and rows (3).
    ema_decay: of the target network at the start (0.996).
    crops: number of small crops, of the config's policy `local` (10); 0: the anchor view only.
    prototypes: number of them (K, 1,024).
    hidden: width of the two hidden layers of the projector (2,048).
    out: width of the projection and of a prototype (256).
    batch_norm: in the projector's hidden layers (on).

  Evaluated: the target network's encoder, as in the authors' evaluation.
  Heads: three linear layers with GELU and, if asked, BatchNorm between them; prototypes have any length, and
  the gradient goes through their normalization.
  BatchNorm: each size of crops has a pass of its own through encoder and projector, as in their code.
  The anchor view is the policy `other`: leave it out to have both views alike, as in the paper.
  It has collapsed where `target_entropy` equals ln K: all images are between all prototypes.
  Deviations: dropped patches are drawn for each image, where the authors' code drops the same ones of all
  images of a process; no entropy of single predictions is added (its weight is 0 in their config); weight
  decay stays what the optimizer says, and prototypes have that of the other parameters unless a group of the
  optimizer says otherwise; the default widths are for small nets.
  """
  rows, columns, _ = heads.patch_grid(encoder, shape, 'msn')
  if kept(rows * columns, dropping) < 1:
    raise BadSetting(f'msn: dropping {dropping} of {rows * columns} patches leaves none; lower it.')
  projector = heads.projector(hidden, hidden, out, norm='batch' if batch_norm else 'none', activation='gelu')
  model = net.chain(encoder=encoder, projector=projector)

  def init(key, views):
    params, stats = model.init(jax.random.fold_in(key, 0), views['a']['image'])
    bound = out**-0.5
    rows = jax.random.uniform(jax.random.fold_in(key, 1), (prototypes, out), minval=-bound, maxval=bound)
    return {**params, 'prototypes': rows}, stats, {'target': (params, stats)}

  def compare(z, rows):
    return jnp.matmul(normalize(z), normalize(rows).T, precision='highest') / temperature

  def loss(state, views, key):
    params, stats, anchors = state.params, state.stats, [views['b']['image'], *by_size(views)[1:]]
    some = draw(key, views, encoder, dropping=dropping)['keep']
    seen = []
    for i, images in enumerate(anchors):
      see = {'train': True, 'key': jax.random.fold_in(key, i)} | ({'keep': some} if i == 0 else {})
      output, stats = model.apply(params, stats, images, **see)
      seen.append(output['projector'])
    logits = compare(jnp.concatenate(seen), params['prototypes'])
    held, moments = state.memory['target']
    own = net.fold_name(key, 'target')
    output, moments = model.apply(held, moments, views['a']['image'], train=True, key=own)
    taught = jax.lax.stop_gradient(compare(output['projector'], params['prototypes']))
    sharp = jax.nn.log_softmax(taught / sharpening)
    target = sinkhorn(sharp, 1.0, iterations, jnp.ones(len(sharp), bool)) if equalized else jnp.exp(sharp)
    assigned = soft_cross_entropy(logits, jnp.tile(target, (crops + 1, 1))).mean()
    mean = jax.nn.softmax(logits).mean(0)
    law = jax.nn.log_softmax(-exponent * jnp.log(jnp.arange(1, prototypes + 1, dtype='float32')))
    apart = weight * (-entropy(mean) - (mean * law).sum())
    told = {'target_entropy': entropy(target).mean(), 'prototypes_used': jnp.exp(entropy(mean))}
    terms = {'loss/assignment': assigned, 'loss/prior': apart}
    return assigned + apart, Aux(stats, {'target': (held, moments)}, {**terms, **told})

  def update(state):
    rise = linear_ramp(state.step - 1, 1.25 * steps)
    return follow(state, 'target', ema_decay + (1 - ema_decay) * rise)

  encode = net.output(model, 'encoder', lambda state: state.memory['target'])
  return Method(multi_crop(crops), init, loss, encode=encode, update=update, kinds=('image', 'audio'))


def kept(count, dropping):
  """How many of `count` patches an anchor view keeps; rounded down."""
  return int(count * (1 - dropping))


def draw(key, views, encoder, *, dropping):
  """Which patches of each anchor view are kept, int [batch, kept]."""
  images = views['b']['image']
  count = images.shape[1] // encoder.patch * (images.shape[2] // encoder.patch)
  noise = jax.random.uniform(net.fold_name(key, 'keep'), (len(images), count))
  return {'keep': jnp.argsort(noise)[:, : kept(count, dropping)]}
