"""DeepCluster v2: from any crop, predict the cluster of its image, found among all images between epochs."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.methods._multi_crop import by_size, multi_crop
from ssl_bench.nets import core as net
from ssl_bench.nets import heads as nets
from ssl_bench.settings.signature import POSITIVE, BadSetting, Range

VERSION = 1


def deepcluster_v2(
  encoder: net.Net,
  examples: int,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  clusters: Annotated[int, Range(2)] = 256,
  heads: Annotated[int, POSITIVE] = 3,
  iterations: Annotated[int, POSITIVE] = 10,
  crops: Annotated[int, Range(0)] = 0,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Caron et al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments" (2020), whose
  authors' code has this improved DeepCluster beside SwAV.

  Objective (the authors' main_deepclusterv2.py): −log softmax(C_h z / τ)_k, the mean over views, heads h and
  images that have a cluster, where z is a view's projection of unit length, C_h are the centroids of head h
  and k is the image's cluster there.  Centroids and clusters are held constant.

  Memory: the projections of the two global views of each unlabeled image from its last batch, and for each
  head the centroids, and the cluster of each image, or −1 where it was not seen yet.

  Between epochs: spherical k-means of the projections in memory, anew for each head, from `clusters` images
  that are drawn at random: every image goes to the centroid with the largest dot product, every centroid
  becomes the mean of its images, of unit length, and stays where it has none.  Heads take the views in turn.

  Args:
    temperature: τ (0.1).
    clusters: of each head (3,000).
    heads: independent clusterings (3).
    iterations: of k-means (10).
    crops: number of local views, of the config's policy `local` (0; 6 in the published results).
    hidden: width of the projector's hidden layer (2,048).
    out: width of the projection (128).

  Evaluated: the encoder's features.
  Heads: linear, BatchNorm, ReLU, linear, unit length.
  BatchNorm: in the encoder a pass for each size of crops, in the projector all crops together, as in the
  authors' code.
  The first epoch fills the memory and has a loss of 0, as the authors pass over all images before training;
  weight decay and running moments are all that moves.
  Deviations: an image that an epoch leaves out keeps its last projection, in place of having no cluster.
  """
  if clusters > examples:
    raise BadSetting(f'deepcluster_v2: clusters {clusters} must be at most the {examples} images; use fewer.')
  model = net.chain(encoder=net.each(encoder), projector=nets.projector(hidden, out))

  def init(key, views):
    memory = {
      'projections': jnp.zeros((2, examples, out)),
      'centroids': jnp.zeros((heads, clusters, out)),
      'cluster': jnp.full((heads, examples), -1, 'int32'),
    }
    return *model.init(key, *by_size(views)), memory

  def loss(state, views, key):
    memory, index, n = state.memory, views['a']['index'], len(views['a']['index'])
    seen, stats = model.apply(state.params, state.stats, *by_size(views), train=True, key=key)
    z = normalize(seen['projector'])
    scores = jnp.matmul(z[None], memory['centroids'].swapaxes(1, 2), precision='highest') / temperature
    own = memory['cluster'][:, index]
    target = jnp.tile(own, (1, len(z) // n))
    each = jax.vmap(cross_entropy)(scores, jnp.maximum(target, 0))
    known = (target >= 0).astype('float32')
    value = ((each * known).sum(1) / jnp.maximum(known.sum(1), 1)).mean()
    held = jax.lax.stop_gradient(z[: 2 * n]).reshape(2, n, out)
    memory = {**memory, 'projections': memory['projections'].at[:, index].set(held)}
    return value, Aux(stats, memory, {'loss/cluster': value, 'clustered': (own >= 0).mean()})

  def refresh(state, data, key, tx):
    projections = state.memory['projections']
    orders = redraw(key, examples, heads=heads)['orders']
    found = [cluster(projections[h % 2], orders[h], clusters, iterations) for h in range(heads)]
    centroids, assigned = (jnp.stack(part) for part in zip(*found))
    return state._replace(memory={**state.memory, 'centroids': centroids, 'cluster': assigned})

  encode = net.output(model, 'encoder')
  return Method(multi_crop(crops), init, loss, encode=encode, refresh=refresh)


def cluster(rows, order, clusters, iterations):
  """Spherical k-means of rows [N, d] from the first of `order` that are not zero: (centroids, cluster)."""
  seen = (rows != 0).any(1)
  centroids = rows[order[jnp.argsort(~seen[order], stable=True)[:clusters]]]

  def nearest(centroids):
    one = lambda row: jnp.matmul(centroids, row, precision='highest').argmax()
    return jax.lax.map(one, rows, batch_size=min(1024, len(rows)))

  def move(_, centroids):
    total = jax.ops.segment_sum(rows, nearest(centroids), clusters)
    return jnp.where((total != 0).any(1, keepdims=True), normalize(total), centroids)

  centroids = jax.lax.fori_loop(0, iterations, move, centroids)
  return centroids, jnp.where(seen, nearest(centroids), -1).astype('int32')


def redraw(key, examples, *, heads):
  """For each head an order of all images, whose first are its first centroids: int32 [heads, examples]."""
  keys = jax.random.split(key, heads)
  return {'orders': jnp.stack([jax.random.permutation(own, examples) for own in keys])}
