"""How a training does on held-out images: accuracy, or where it sees no labels, loss, kNN and health."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation import health, predict, scores
from ssl_bench.evaluation.loss_and_probe import HELD
from ssl_bench.evaluation.neighbors import knn
from ssl_bench.evaluation.pseudo_labels import draw
from ssl_bench.training.program import Program

BANK = 2_000  # images at most that kNN searches
BATCHES = 4  # at most, over which the loss is a mean
NEIGHBORS = 20
LOOKS = 20  # at pseudo-labels, at most

# (program, state, numbers, kept) -> what to note; `kept` is plain data that it may keep until the next look.
Watch = Callable[[Program, Any, Any, dict[str, Any]], dict[str, Any]]


def of_classifier(dataset: Dataset) -> Watch:
  """Accuracy on the validation and the test part."""
  held = np.concatenate([dataset.validation_images, dataset.test_images])
  cut = len(dataset.validation_labels)

  def watch(program: Program, state: Any, numbers: Any, kept: dict[str, Any]) -> dict[str, Any]:
    logits = predict.observe(program, state, numbers, held).logits
    assert logits is not None
    return {
      'validation_accuracy': scores.accuracy(logits[:cut], dataset.validation_labels),
      'test_accuracy': scores.accuracy(logits[cut:], dataset.test_labels),
    }

  return watch


def with_pseudo_labels(watch: Watch, dataset: Dataset, labeled: np.ndarray, steps: int) -> Watch:
  """What `watch` notes, and the pseudo-labels of some unlabeled images, of methods that report any.

  There are at most 20 looks (`pseudo_labels.Sample`): the first one after each twentieth of the training's
  `steps`.  `labeled` are the positions of the labeled images in the training part.
  """
  sample_of = cache(lambda size: draw(dataset, labeled, size))

  def both(program: Program, state: Any, numbers: Any, kept: dict[str, Any]) -> dict[str, Any]:
    noted = watch(program, state, numbers, kept)
    twentieth = int(state.step) * LOOKS // steps
    sample = sample_of(program.structure.batch) if program.pseudo_labels else None
    if sample is None or twentieth <= kept.get('twentieth', 0):
      return noted
    kept['twentieth'] = twentieth
    return noted | sample.look(program, state, numbers, kept)

  return both


def of_pretraining(dataset: Dataset) -> Watch:
  """Loss, kNN accuracy, std × √d and RankMe on the validation part.

  The loss is that of the method on views of validation images, drawn alike each time, in batches of the
  training's size, with BatchNorm as in training; a method that needs more than images, or a larger batch
  than there are validation images, has none.  kNN is cosine, k = 20, its bank the first training images with
  their labels; a set without labels, which has one class, has none.  No test image is looked at.
  """
  bank, labels = dataset.train_images[:BANK], dataset.train_labels[:BANK]
  held, truth = dataset.validation_images[:HELD], dataset.validation_labels[:HELD]

  def watch(program: Program, state: Any, numbers: Any, kept: dict[str, Any]) -> dict[str, Any]:
    features = predict.observe(program, state, numbers, held).features
    seen = {'feature_std': health.feature_std(features), 'rankme': health.rankme(features)}
    if dataset.classes > 1:
      known = predict.observe(program, state, numbers, bank).features
      votes = knn(known, labels, features, dataset.classes, ks=(NEIGHBORS,))[NEIGHBORS]
      seen = {'knn': scores.accuracy(votes.scores, truth), **seen}
    size = program.images_per_batch  # a loss may ask for a multiple of something
    if program.held_out_loss and size <= len(held):
      seen['pretext_loss'] = _loss(program, state, numbers, np.asarray(held), size)
    return seen

  return watch


def _loss(program: Program, state: Any, numbers: Any, images: np.ndarray, size: int) -> float:
  held_out_loss = program.held_out_loss
  assert held_out_loss is not None
  starts = range(0, len(images) - size + 1, size)[:BATCHES]
  losses = [held_out_loss(state, numbers, images[at : at + size]) for at in starts]
  return float(np.mean([float(loss) for loss in losses]))
