"""Attacks on a trained encoder, each where `evaluate.privacy` asks for it; a weaker attack proves no privacy.

Each is repeated on the encoder as it was before training, with the same views and probes: what that one gives
away, training did not put in.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation import predict
from ssl_bench.evaluation.attacks import attributes, inversion, membership
from ssl_bench.training.loop import on_device

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

MOST = 1000  # members, and as many other examples
PUBLIC = 2000  # examples that the decoder of an inversion is fitted on, at most
Draw = Callable[[np.ndarray], np.ndarray]  # uint8 images -> what a decoder makes of their features
CHUNK = 256  # examples whose views are computed together


class Membership(NamedTuple):
  """What the attack by consistency finds, and what it finds before training (`untrained`)."""

  stream: str  # that the members are from: unlabeled, or labeled where training saw no other
  members: int  # and as many others
  trained: membership.Told
  untrained: membership.Told


class Attributes(NamedTuple):
  """What a probe tells of the groups, and what a probe of the encoder before training tells."""

  trained: attributes.Told
  untrained: attributes.Told


class Inverted(NamedTuple):
  """Members [n, H, W, C], what the decoder makes of their features, both in [0, 1], and their positions."""

  originals: np.ndarray
  reconstructions: np.ndarray
  positions: np.ndarray


class Chosen(NamedTuple):
  """Examples that training saw and as many that it did not see, by a key that no trial changes."""

  stream: str
  positions: np.ndarray  # of the members, in the training part and what follows it
  members: np.ndarray
  others: np.ndarray


class Attacks:
  """The attacks on one trained state; each is computed once, when it is asked for, and None if not asked."""

  def __init__(self, trained: 'Trained') -> None:
    self.trained = trained
    self.asked = trained.config.evaluate.privacy

  @cached_property
  def chosen(self) -> Chosen:
    """The members and the others."""
    plan, dataset = self.trained.plan, self.trained.dataset
    stream = 'unlabeled' if 'unlabeled' in plan.streams else 'labeled'
    everything = np.arange(dataset.n_images) if dataset.stream is None else dataset.stream
    seen = everything if stream == 'unlabeled' else plan.labeled
    count = min(len(seen), len(dataset.test_images), MOST)
    positions, others = np.asarray(seen)[pick(len(seen), count)], pick(len(dataset.test_images), count)
    return Chosen(stream, positions, images_at(dataset, positions), dataset.test_images[others])

  @cached_property
  def untrained(self) -> Any:
    """The state from which training began; with `init=teacher` its encoder is the teacher's."""
    fitted = self.trained.fitted
    data, numbers = on_device(self.trained.plan, fitted.teacher)
    return fitted.program.init(np.uint32(self.trained.config.seed), data, numbers)[0]

  @cached_property
  def membership(self) -> Membership | None:
    """By the similarity of views of one example; see `membership.consistency`."""
    if 'membership' not in self.asked:
      return None
    examples = np.concatenate([self.chosen.members, self.chosen.others])
    states = (self.trained.fitted.state, self.untrained)
    similarity = [membership.Consistency(len(examples)) for _ in states]
    for view in range(membership.VIEWS):
      seen = self._view(view, examples)
      for state, found in zip(states, similarity):
        found.add(self.trained.look(state, seen).features)
    n = len(self.chosen.members)
    told = [membership.told(one.mean()[:n], one.mean()[n:]) for one in similarity]
    return Membership(self.chosen.stream, n, *told)

  def _view(self, view: int, examples: np.ndarray) -> np.ndarray:
    """One strong view of each example; a chunk's key says which view and which chunk it is."""
    dataset, policy = self.trained.dataset, self.trained.config.augment['strong']
    chunks = -(-len(examples) // CHUNK)

    def look(at: np.ndarray) -> dict[str, np.ndarray]:
      self.trained.go_on()
      key = view * chunks + int(at[0]) // CHUNK
      return {'view': predict.views(policy, key, examples[at], dataset.kind, dataset.columns)}

    return predict.in_chunks(look, np.arange(len(examples)), CHUNK)['view']

  @cached_property
  def attributes(self) -> Attributes | None:
    """By a linear probe of the group that an example is from."""
    data = self.trained.dataset
    if 'attributes' not in self.asked or data.train_groups is None:
      return None
    assert data.validation_groups is not None and data.test_groups is not None
    groups = attributes.Groups(data.train_groups, data.validation_groups, data.test_groups)
    parts = (data.train_images, data.validation_images, data.test_images)
    fresh = [self.trained.look(self.untrained, images).features for images in parts]
    told = lambda features: attributes.told(
      features, groups, len(data.group_names), self.trained.config.evaluate.bootstrap
    )
    return Attributes(told(self.trained.features), told(fresh))

  @cached_property
  def inverted(self) -> Inverted | None:
    """The members through the decoder that was fitted on public examples."""
    if 'inversion' not in self.asked:
      return None
    members = self.chosen.members
    return Inverted(inversion.pixels(members), self._draw(members), self.chosen.positions)

  @cached_property
  def inversion(self) -> dict[str, inversion.Errors] | None:
    """Who -> errors: of `members`, of `others`, of members `untrained`, and of the `mean` public image."""
    if self.inverted is None:
      return None
    members, others = self.inverted.originals, inversion.pixels(self.chosen.others)
    made = {
      'members': (members, self.inverted.reconstructions),
      'others': (others, self._draw(self.chosen.others)),
      'untrained': (members, self._drawer(self.untrained)(self.chosen.members)),
      'mean': (members, np.broadcast_to(inversion.pixels(self._public).mean(0), members.shape)),
    }
    return {who: inversion.errors(*pair) for who, pair in made.items()}

  @cached_property
  def _public(self) -> np.ndarray:
    """Validation images, which no training saw."""
    images = self.trained.dataset.validation_images
    return images[pick(len(images), min(len(images), PUBLIC))]

  @cached_property
  def _draw(self) -> Draw:
    return self._drawer(self.trained.fitted.state)

  def _drawer(self, state: Any) -> Draw:
    """A function from images to their reconstructions [n, H, W, C] from the features of a state."""
    see = lambda images: self.trained.look(state, images).features
    targets = inversion.pixels(self._public)
    decoder = inversion.fit(see(self._public), targets.reshape(len(targets), -1))
    return lambda images: decoder(see(images)).reshape(images.shape)


def pick(n: int, count: int) -> np.ndarray:
  """`count` of n positions, ascending, by one key for all trials."""
  return np.sort(np.random.default_rng(0).choice(n, count, replace=False))


def images_at(dataset: Dataset, positions: np.ndarray) -> np.ndarray:
  """Examples as they are stored, at positions in the training part and the extra split behind it."""
  inside = positions < dataset.n_train
  found = dataset.train_images[positions[inside]]
  if inside.all():
    return found
  assert dataset.unlabeled_images is not None
  rest = dataset.unlabeled_images[positions[~inside] - dataset.n_train]
  whole = np.empty((len(positions), *found.shape[1:]), found.dtype)
  whole[inside], whole[~inside] = found, rest
  return whole
