"""Multi-crop: two global views of an image and several small crops of it (Caron et al., 2020)."""

import jax

from ssl_bench.contract import View, Views, concatenate


def multi_crop(crops: int) -> dict[str, View]:
  """Two global views of each image, 'a' and 'b', and `crops` small crops of it, 'local'; 0 crops: none."""
  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'other')}
  return views | ({'local': View('unlabeled', 'local', crops)} if crops else {})


def by_size(views: Views) -> list[jax.Array]:
  """The images of `multi_crop`, view by view: [2 · batch, H, W, C] and, if any, [crops · batch, h, w, C]."""
  a, b = views['a']['image'], views['b']['image']
  batches = [concatenate([a, b])]
  if 'local' in views:
    local = views['local']['image']
    several = getattr(local, 'ndim', 0) > getattr(a, 'ndim', 0)  # a graph has one copy
    batches += [local.swapaxes(0, 1).reshape(-1, *local.shape[2:]) if several else local]
  return batches
