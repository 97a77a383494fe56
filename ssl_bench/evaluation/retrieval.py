"""Retrieval between images and texts: how often one that belongs to the query is among the first k."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.evaluation import predict

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained


def measure(trained: 'Trained') -> dict[str, float]:
  """Recall@k between the test images of a trained state and their captions; empty where there are none."""
  (program, numbers, state, *_), dataset = trained.fitted, trained.dataset
  captions = dataset.test_captions
  if not program.embed or captions is None:
    return {}
  embed = lambda kind, inputs: predict.embed(program, state, numbers, kind, inputs)
  return retrieval(embed('image', dataset.test_images), captions, embed('text', different(captions)))


def retrieval(
  images: ArrayLike, captions: NDArray[np.uint8], texts: ArrayLike, ks: Iterable[int] = (1, 5, 10)
) -> dict[str, float]:
  """Recall@k both ways: {'image_to_text@1': …, 'text_to_image@10': …}, shares in [0, 1].

  As on Flickr30k (Karpathy and Fei-Fei 2015), where an image has several captions and finding any is a hit.
  Texts that are written alike are one text, which belongs to all images that have it.

  Args:
    images: unit vectors [N, d] of N images.
    captions: tokens of their texts, [N, K, L].
    texts: unit vectors [M, d] of the M different texts, in the order of `different(captions)`.
    ks: how many of the first places count.
  """
  own = matches(captions)
  similarity = np.asarray(images, np.float64) @ np.asarray(texts, np.float64).T
  ranks = {'image_to_text': first_rank(similarity, own), 'text_to_image': first_rank(similarity.T, own.T)}
  return {f'{way}@{k}': float((rank <= k).mean()) for way, rank in ranks.items() for k in ks}


def different(captions: NDArray[np.uint8]) -> NDArray[np.uint8]:
  """The different texts among captions [N, K, L], sorted: [M, L]."""
  return np.unique(captions.reshape(-1, captions.shape[-1]), axis=0)


def matches(captions: NDArray[np.uint8]) -> NDArray[np.bool_]:
  """[N, M]: which of the different texts are an image's own."""
  n, k, length = captions.shape
  texts, which = np.unique(captions.reshape(-1, length), axis=0, return_inverse=True)
  own = np.zeros((n, len(texts)), bool)
  own[np.repeat(np.arange(n), k), which.ravel()] = True
  return own


def first_rank(similarity: NDArray[np.float64], own: NDArray[np.bool_]) -> NDArray[np.intp]:
  """[N]: the place of the best match among all candidates, 1 the first; a tie goes to the others."""
  best = np.where(own, similarity, -np.inf).max(1, keepdims=True)
  return 1 + ((similarity >= best) & ~own).sum(1)
