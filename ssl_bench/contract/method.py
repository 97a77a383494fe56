"""`Method`: the functions that make up a learning method, each with its inputs, outputs and shapes."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import jax
import optax

from ssl_bench.contract.state import Aux, State
from ssl_bench.contract.views import View, Views


class Init(Protocol):
  """Makes the initial parameters, running moments and memory."""

  def __call__(self, key: jax.Array, views: Views, /) -> tuple[Any, Any, Any]:
    """(params, stats, memory); real views are given, so that shapes need not be inferred.

    `params` is a dict whose first level names the optimizer's groups.  `memory` is any pytree, `()` where the
    method remembers nothing.
    """


class Loss(Protocol):
  """Computes the objective of one step; it is differentiated in `state.params`."""

  def __call__(self, state: State, views: Views, key: jax.Array, /) -> tuple[jax.Array, Aux]:
    """(float32 scalar, Aux).

    Each view holds 'image', float32 [batch, H, W, C] in [-1, 1] (or int32 [batch, L, 1, 1] for texts).  Views
    of the labeled stream also hold 'label', int32 [batch], and 'labeled_index', int32 [batch], the positions
    among the labeled images, below the fact `labeled_examples`; views of the unlabeled stream hold 'index',
    int32 [batch], the positions in the unlabeled set, below the fact `examples`, and 'caption', uint8
    [batch, L], where there are captions.
    """


class Encode(Protocol):
  """Computes the features that are evaluated."""

  def __call__(self, state: State, images: jax.Array, /) -> jax.Array:
    """float32 [batch, H, W, C] in [-1, 1] -> float32 [batch, d]; rows do not depend on each other."""


class Predict(Protocol):
  """Classifies images."""

  def __call__(self, state: State, images: jax.Array, /) -> jax.Array:
    """float32 [batch, H, W, C] in [-1, 1] -> logits, float32 [batch, classes]."""


class Update(Protocol):
  """Changes the state after the optimizer: moves a teacher, or holds parameters to a constraint."""

  def __call__(self, state: State, /) -> State:
    """The state with `step` incremented and `params` moved -> the state of the next step."""


class Refresh(Protocol):
  """Changes the state between epochs, with all images at hand."""

  def __call__(
    self, state: State, data: Mapping[str, Any], key: jax.Array, tx: optax.GradientTransformation, /
  ) -> State:
    """`data` as in `step.make_refresh`; `tx` is the optimizer, for a method that starts it anew."""


class Sample(Protocol):
  """Draws the next unlabeled batch in place of the usual random order."""

  def __call__(self, state: State, key: jax.Array, size: int, /) -> jax.Array:
    """int32 [size], positions in the unlabeled set, none of them twice."""


class Embed(Protocol):
  """Maps images and texts into one space, for retrieval."""

  def __call__(self, state: State, inputs: jax.Array, kind: Literal['image', 'text'], /) -> jax.Array:
    """Images float32 [batch, H, W, C], or tokens [batch, L] -> float32 [batch, d], rows of unit length."""


class Transduce(Protocol):
  """Classifies the unlabeled set itself, for a method that has learned it as a whole."""

  def __call__(self, state: State, /) -> jax.Array:
    """Logits, float32 [examples, classes], of the unlabeled set."""


class ReconstructionError(Protocol):
  """Says how badly a trained method reconstructs examples; large for what is unlike those it has seen."""

  def __call__(self, state: State, images: jax.Array, key: jax.Array, /) -> jax.Array:
    """float32 [batch, H, W, C] in [-1, 1] -> float32 [batch]; rows do not depend on each other.

    `key` is for what is drawn, such as a mask.  The mean over several keys is evaluated.
    """


def stay(state: State) -> State:
  """The `Update` of a method that has nothing to do after the optimizer."""
  return state


class Method(NamedTuple):
  """A semi-supervised or self-supervised method, as pure functions over one `State`.

  A method whose `loss` is None learns without gradients: no step is taken, and `refresh` is called once.
  Without a `refresh` either it learns nothing, and is a floor that other methods are compared with.
  """

  views: Mapping[str, View]  # the augmented images that `init` and `loss` are given
  init: Init
  loss: Loss | None
  encode: Encode
  predict: Predict | None = None  # None: there is no classifier, and a probe reads the features
  update: Update = stay
  refresh: Refresh | None = None
  believes: str | None = None  # the view whose pseudo-labels come from `believe`; combinators change these
  sample: Sample | None = None
  embed: Embed | None = None
  trainings: int = 1  # how often a run starts training anew (in `refresh`); each time has a whole schedule
  transduce: Transduce | None = None
  reconstruction_error: ReconstructionError | None = None
  kinds: tuple[str, ...] | None = None  # those of the data that it can learn from; None: any


class Teacher(NamedTuple):
  """Another trial's trained network, given to a factory as `teacher`.  No gradient reaches it."""

  encode: Any  # images [batch, H, W, C] -> features [batch, d]
  predict: Any  # images [batch, H, W, C] -> logits [batch, classes]; None where it has no classifier
  params: Any  # the trained parameters, by their first level; the average where that is evaluated
  stats: Any  # the running moments that belong to them
