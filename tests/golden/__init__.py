"""Golden files: each method's objective once more, from the paper's equations, in float64 NumPy.

A file is named after its method and imports neither jax nor ssl_bench.  Images are unit vectors and the
encoder is one matrix, its rows the embeddings of the images, so that the gradient in the encoder is, row
by row, the gradient in the embeddings.  With `stats` given, the embeddings are normalized over the batch.
For a method that needs pixels to turn or to hide (`SIDE`), the pixels of an image are unit vectors; each has
an embedding of its own, and the features are a weighted sum of them (`_layers.pool`).

A golden file holds:

* `VERSION`: that of the method whose objective it writes down;
* `objective(params, held, stats, memory, views, *, step, steps, …settings) -> Golden`, where `held` are the
  same parameters where the paper holds them constant: differences in `params` alone are the gradient;
* `update(params, stats, memory, *, step, …settings) -> (params, memory)`, after the optimizer, where the
  method has one; `step` counts the steps that are done;
* `SIDE`: where the method needs pixels, the side of an image: [batch, SIDE, SIDE, all pixels of all views];
* where the method's module has a `draw(key, views, …)`, `objective` is given what it drew, as `draws`;
* `refresh(params, stats, memory, images, labeled, *, step, steps, classes, …settings) -> memory`, where the
  method renews its memory from all images [n, pixels], with the labels of those at `labeled['index']`;
* where the method has a teacher, `objective` is given one, with its functions `encode` and `predict`;
* `CASES`: name -> `Case`, and `REFRESHES`: name -> `Refresh`;
* `FLOWS`: term of the loss -> `Flow`, where its gradient goes; everywhere else it is zero;
* `OBSERVED`: the views whose images move BatchNorm's running moments;
* `MEMORY`: the names in the method's memory;
* where the method has no loss, none of `objective`, `CASES`, `FLOWS` and `OBSERVED`;
* `KIND`: 'tokens' for a method on texts; row i of the encoder is then the embedding of token i; 'series'
  for a method on series, whose four points are unit vectors, as the pixels of an image with a `SIDE`;
* `SETTINGS`: settings under which a fresh small network uses every term of the loss;
* `NUMBERS`: another value of each number among the settings, which changes the run;
* `CHANGES`: where a term needs it, other settings of the run that this is tried on, dots written as `__`.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple


class Golden(NamedTuple):
  """What an objective comes to."""

  terms: Mapping[str, float]  # loss/… -> value
  grads: Mapping[str, Any]  # loss/… -> gradients in `params`; a leaf left out is zero
  stats: Any
  memory: Any
  pseudo: tuple[Any, Any, Any] | None = None  # label, confidence, mask


class Case(NamedTuple):
  """Inputs of an objective that are not the usual ones, and the value that it has there."""

  loss: float  # the sum of all terms, to six digits: where it moves, so does VERSION
  settings: Mapping[str, Any] = {}
  step: int = 3
  rows: Mapping[str, Any] = {}  # view -> embeddings
  bias: float = 1.0  # factor of all biases
  memory: Mapping[str, Any] = {}  # parts of the memory at the start
  rate: float = 0.25  # of the steps of plain descent


class Refresh(NamedTuple):
  """Inputs of a renewal that are not the usual ones, and what it comes to."""

  value: float  # the memory's floats under fixed weights, to six digits: where it moves, so does VERSION
  settings: Mapping[str, Any] = {}
  step: int = 12
  memory: Mapping[str, Any] = {}  # parts of the memory before it


class Flow(NamedTuple):
  """Where the gradient of a term goes."""

  params: Collection[str]  # first level of `params`
  views: Collection[str]  # through the embeddings of which views
