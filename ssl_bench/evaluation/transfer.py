"""Transfer: what the frozen encoder of one data set is worth on another, by probes, beside random weights.

The encoder stays as it was trained.  Its features of all images of the other set are read by the probes of
the protocol, and by few-shot probes; so are those of the same net under random weights.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ssl_bench import data, optim
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.conform import conform
from ssl_bench.data.split import queues
from ssl_bench.evaluation import predict, probes, scores
from ssl_bench.evaluation.intervals import Interval, mean_interval
from ssl_bench.evaluation.linear import linear_probe, moments
from ssl_bench.evaluation.neighbors import knn
from ssl_bench.evaluation.probes import DRAWS, NEIGHBORS, SHOTS, ArrayKey, Features
from ssl_bench.planning import Plan, make_plan
from ssl_bench.settings.sections import Evaluate
from ssl_bench.training.loop import on_device
from ssl_bench.training.program import compile_program

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

RANDOM = 'random_weights'  # the method that learns nothing


class Probed(NamedTuple):
  """Accuracies in [0, 1] on the test part of a set, of probes of one encoder's features.

  `few` has labels a class -> the mean over draws of those labels, with the half width of its 95 % interval.
  """

  linear: float
  knn: float
  few: Mapping[int, Interval]


class Transferred(NamedTuple):
  """What probes make of the trained encoder on a set, and what of the same net under random weights.

  `forgetting` is None where no encoder with which training began was trained on the set.
  """

  trained: Probed
  random: Probed
  forgetting: float | None


def measure(trained: 'Trained') -> dict[str, Transferred]:
  """Set -> what a trained encoder is worth there, of each that its config asks for."""
  found = {}
  for name in trained.config.evaluate.transfer:
    trained.go_on()
    dataset = as_read(data.load(name), trained.dataset)
    own = probe(_features(dataset, lambda images: trained.look(trained.fitted.state, images)), dataset)
    trained.go_on()
    is_random = trained.config.method['name'] == RANDOM
    random = own if is_random else probe(of_random(trained.plan, dataset), dataset)
    found[name] = Transferred(own, random, forgetting(trained, name))
  return found


def forgetting(trained: 'Trained', name: str) -> float | None:
  """The best accuracy of a linear probe on a set before the last training, minus that after it.

  Chaudhry et al. 2018.  Before are the encoders with which training began, one after the other; None where
  none of them was trained on the set.  All read it in its own form, which weights of one shape can.
  """
  plan, fitted, begun, sets = trained.plan, trained.fitted, [trained.fitted], set()
  while plan.structure.begins and fitted.teacher:
    (plan,), fitted = plan.teachers, fitted.teacher
    begun.append(fitted)
    sets.add(plan.config.dataset)
  if name not in sets:
    return None
  dataset, accuracies = data.load(name), []
  for program, numbers, state, *_ in begun:
    trained.go_on()
    accuracies.append(_linear(_features(dataset, partial(predict.observe, program, state, numbers)), dataset))
  return max(accuracies[1:]) - accuracies[0]


def as_read(dataset: Dataset, like: Dataset) -> Dataset:
  """A data set whose labeled examples have the form of another's."""
  train, validation, test = dataset.train_images, dataset.validation_images, dataset.test_images
  return dataset._replace(
    train_images=conform(train, like),
    validation_images=conform(validation, like),
    test_images=conform(test, like),
  )


def of_random(plan: Plan, dataset: Dataset) -> Features:
  """Features of a set by a trial's net under random weights, as of a `random_weights` trial of its seed."""
  untrained = make_plan(_untrained(plan.config, has_labels=plan.dataset.classes > 1), plan.dataset)
  program = compile_program(untrained.structure)
  arrays, numbers = on_device(untrained)
  state, _ = program.init(np.uint32(plan.config.seed), arrays, numbers)
  return _features(dataset, lambda images: predict.observe(program, state, numbers, images))


def _untrained(config: Config, has_labels: bool) -> Config:
  """The trial of the same net that learns nothing."""
  nothing: dict[str, Any] = {
    'method': {'name': RANDOM},
    'combine': (),
    'optimizer': optim.check_optimizer({'name': 'sgd', 'lr': 0.1}),
    'ema': None,
    'early_stop': None,
    'teacher': None,
    'init': 'random',
    'text_net': None,
    'evaluate': Evaluate(probes=('linear',) if has_labels else ()),
    **dict.fromkeys(config.PATTERNS),
  }
  return config.model_copy(update=nothing)


def _features(dataset: Dataset, look: Callable[[np.ndarray], predict.Seen]) -> Features:
  parts = (dataset.train_images, dataset.validation_images, dataset.test_images)
  return Features(*(look(images).features for images in parts))


def probe(features: Features, dataset: Dataset) -> Probed:
  """What the linear probe, the nearest neighbors and few-shot probes make of features of a set."""
  votes = knn(features.train, dataset.train_labels, features.test, dataset.classes, (NEIGHBORS,))
  return Probed(
    _linear(features, dataset),
    scores.accuracy(votes[NEIGHBORS].scores, dataset.test_labels),
    few_shot(features, dataset),
  )


def _linear(features: Features, dataset: Dataset) -> float:
  return scores.accuracy(probes.with_all_labels(features, dataset).logits(features.test), dataset.test_labels)


def few_shot(features: Features, dataset: Dataset) -> dict[int, Interval]:
  """Labels a class -> mean accuracy, in [0, 1], of linear probes of so many labels, over `DRAWS` draws.

  Features are standardized on the whole training part, which takes no label, and the L2 is the one of least
  NLL on the validation part.  A draw of fewer labels is the beginning of the same draw of more; a class with
  fewer images gives all that it has.
  """
  on, found = moments(features.train), {}
  of_class = [draw(ArrayKey(dataset.train_labels), dataset.classes, number) for number in range(DRAWS)]
  for shots in SHOTS:
    accuracies = []
    for queue in of_class:
      few = np.concatenate([own[:shots] for own in queue])
      fitted = linear_probe(
        features.train[few],
        dataset.train_labels[few],
        features.validation,
        dataset.validation_labels,
        dataset.classes,
        standardize_on=on,
      )
      accuracies.append(scores.accuracy(fitted.logits(features.test), dataset.test_labels))
    found[shots] = mean_interval(accuracies)
  return found


@lru_cache(maxsize=4 * DRAWS)
def draw(labels: ArrayKey, classes: int, number: int) -> tuple[np.ndarray, ...]:
  """The first images of each class in a draw, positions in the training part; `labels` are its labels [N]."""
  order = queues(labels.arrays[0], f'few-shot {number}', range(classes))
  return tuple(np.array(own[: max(SHOTS)], np.int64) for own in order)
