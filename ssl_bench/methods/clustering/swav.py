"""SwAV: from any crop, predict the prototypes of a global one; a batch uses all prototypes equally."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import cross_views, entropy, normalize, sinkhorn
from ssl_bench.methods._multi_crop import by_size, multi_crop
from ssl_bench.methods._queue import push
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def swav(
  encoder: net.Net,
  steps: float,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  epsilon: Annotated[float, POSITIVE] = 0.05,
  iterations: Annotated[int, POSITIVE] = 3,
  queue: Annotated[int, Range(0)] = 0,
  queue_start: Annotated[float, UNIT] = 0.075,
  crops: Annotated[int, Range(0)] = 6,
  prototypes: Annotated[int, POSITIVE] = 256,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments" (2020).

  Objective: −Σ_k q_k log softmax(C z' / τ)_k, the mean over images and over all pairs of a global view, whose
  code is q, and another view, global or local, whose projection of unit length is z'.  The codes of a batch
  are held constant: they are exp(C z / ε), normalized by Sinkhorn and Knopp's iterations to use all
  prototypes equally.

  Args (numbers are those of the authors' code):
    temperature: τ (0.1).
    epsilon: ε; the smaller, the harder the codes (0.05; their README: less where the loss stays at ln K).
    iterations: of columns and rows (3).
    queue: earlier projections of each global view that share in the codes, of any number (3,840 with batches
      of 256; 0, none, with 4,096).
    queue_start: part of the run after which they do (epoch 15 of 200).
    crops: number of local views, of the config's policy `local` (6); 0: the two global ones only.
    prototypes: number of them (rows of C, 3,000).
    hidden: width of the projector's hidden layer (2,048).
    out: width of the projection and of a prototype (128).

  Evaluated: the encoder's features.
  Heads: linear, BatchNorm, ReLU, linear, unit length; prototypes have unit length again after every step, and
  the gradient is that in C itself.
  BatchNorm: in the encoder a pass for each size of crops, in the projector all crops together, as in the
  authors' code.
  To freeze the prototypes at first, as the authors do for the first epoch, write `groups: {prototypes:
  {schedule: "cosine(7/16, frozen=0.01)"}}` in the optimizer's section.  The second global view is the policy
  `other`: leave it out to have both views alike, as in the paper.
  It has collapsed where `code_entropy` and the loss equal ln K: all images have one projection and one code.
  Deviations: the queue fills from the first step and those of its rows that are filled count from
  `queue_start` on, where the authors' code begins to fill it then and uses it once it is full; the default
  widths are for small nets.
  """
  model = net.chain(encoder=net.each(encoder), projector=heads.projector(hidden, out))

  def init(key, views):
    params, stats = model.init(jax.random.fold_in(key, 0), *by_size(views))
    params['prototypes'] = normalize(jax.random.normal(jax.random.fold_in(key, 1), (prototypes, out)))
    return params, stats, {'queue': jnp.zeros((2, queue, out))} if queue else {}

  def loss(state, views, key):
    n, rows = len(views['a']['image']), state.params['prototypes'].T
    seen, stats = model.apply(state.params, state.stats, *by_size(views), train=True, key=key)
    z = normalize(seen['projector']).reshape(-1, n, out)
    compare = lambda z, rows: jnp.matmul(z, rows, precision='highest')
    held, rows_held = jax.lax.stop_gradient((z[:2], rows))
    bank = jnp.concatenate([held, state.memory['queue']], 1) if queue else held
    filled = (bank != 0).any(-1) & (state.step.astype('float32') >= queue_start * steps)
    valid = filled | (jnp.arange(n + queue) < n)[None]
    assign = lambda scores, valid: sinkhorn(scores, epsilon, iterations, valid)[:n]
    codes = jax.vmap(assign)(compare(bank, rows_held), valid)
    value = cross_views(compare(z, rows) / temperature, codes)
    told = {'code_entropy': entropy(codes).mean(), 'prototypes_used': jnp.exp(entropy(codes.mean((0, 1))))}
    memory = {'queue': push(state.memory['queue'], held, axis=1)} if queue else {}
    return value, Aux(stats, memory, {'loss/swapped': value, **told})

  def update(state):
    rows = normalize(state.params['prototypes'])
    return state._replace(params={**state.params, 'prototypes': rows})

  return Method(multi_crop(crops), init, loss, encode=net.output(model, 'encoder'), update=update)
