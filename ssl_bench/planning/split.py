"""The labels that a trial sees, and its dataset under the config's stress."""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np

from ssl_bench import augment, data
from ssl_bench.config import Config
from ssl_bench.data import stress
from ssl_bench.data.arrays import Dataset
from ssl_bench.settings.signature import BadSetting

CHUNK = 4096  # images that are shifted at once


def labeled_of(config: Config, dataset: Dataset) -> np.ndarray:
  """Positions in the training part whose labels the trial sees, int32 in the order of their draw."""
  fold = None
  if config.fold is not None:
    if not dataset.folds or config.fold >= len(dataset.folds):
      raise BadSetting(f'{dataset.name} has {len(dataset.folds or ())} folds; leave fold={config.fold} out.')
    fold = dataset.folds[config.fold]
  how: dict[str, Any] = {'split_seed': config.split_seed, 'classes': dataset.classes, 'fold': fold}
  if config.stress is None:
    return data.labeled_indices(dataset.train_labels, config.labels, **how)
  tail = config.stress.imbalance
  return stress.labeled_positions(
    dataset.train_labels,
    config.labels,
    mismatch=config.stress.mismatch,
    imbalance=tail.labeled if tail else None,
    **how,
  )


def stressed(config: Config, dataset: Dataset) -> Dataset:
  """The dataset under the config's stress; itself where there is none.

  A pure function of the dataset and the settings: applied again, it changes nothing.
  """
  asked = config.stress
  if asked is None:
    return dataset
  dataset = dataset._replace(stream=None, noisy_labels=None, shifted_images=None)
  if asked.anomaly is not None:
    dataset = stress.without_class(dataset, asked.anomaly)
  if asked.held_out is not None:
    dataset = stress.hold_out(dataset, asked.held_out)
  if asked.target is not None:
    dataset = stress.onto(dataset, data.load(asked.target))
  labeled, seed = labeled_of(config, dataset), config.split_seed
  known: tuple[int, ...] = tuple(range(dataset.classes))
  if asked.mismatch is not None:
    known = stress.mismatched_classes(asked.mismatch, dataset.classes, seed).labeled
    dataset = stress.without_unknown(dataset, known)
  if asked.label_noise:
    labels = np.array(dataset.train_labels, np.int32)
    labels[labeled] = stress.noisy(labels[labeled], asked.label_noise, known, seed)
    dataset = dataset._replace(noisy_labels=labels)
  tail = asked.imbalance.unlabeled if asked.imbalance else None
  which: dict[str, Any] = {'mismatch': asked.mismatch, 'imbalance': tail, 'budget': asked.unlabeled}
  if any(v is not None for v in which.values()):
    dataset = dataset._replace(stream=stress.unlabeled_positions(dataset, split_seed=seed, **which))
  if asked.shift and dataset.graph is not None:
    raise BadSetting(f'stress.shift moves images one by one, and {dataset.name} is one graph; leave it out.')
  if asked.shift:
    dataset = dataset._replace(shifted_images=_shifted(dataset, labeled, asked.shift))
  return dataset


def of_teacher(config: Config, dataset: Dataset) -> Dataset:
  """The data of a trial's teacher under its stress; `dataset` is the trial's, which most teachers share."""
  teacher = config.teacher
  if teacher is None or teacher.dataset == config.dataset:
    return dataset
  return stressed(teacher, data.load(teacher.dataset))


@cache
def _changer(policy: str, channels: int, kind: str, columns: tuple[int, ...] | None) -> Callable:
  """(positions, images) -> images, each changed by a key of its own position."""
  change = augment.compile_policy(policy, channels, kind, columns)
  return jax.jit(jax.vmap(lambda i, image: change(jax.random.fold_in(jax.random.key(0), i), image)))


def _shifted(dataset: Dataset, labeled: np.ndarray, policy: str) -> np.ndarray:
  """All images but the labeled ones as the policy changes them, each by a key of its own position."""
  images = dataset.stream_images()
  change = _changer(policy, dataset.channels, dataset.kind, dataset.columns)
  moved = []
  for start in range(0, len(images), CHUNK):
    part = np.asarray(images[start : start + CHUNK])
    moved.append(np.asarray(change(np.arange(start, start + len(part)), part)))
    if moved[-1].dtype != part.dtype:
      raise BadSetting(
        'stress.shift changes sounds as they are stored; leave operations on spectrograms out.'
      )
    if moved[-1].shape != part.shape:
      sizes = f'{part.shape[1:3]} into {moved[-1].shape[1:3]}'
      raise BadSetting(f'stress.shift turns images of {sizes}; leave size out.')
  shifted = np.concatenate(moved)
  shifted[labeled] = images[labeled]
  return shifted


def describe_split(config: Config, dataset: Dataset, labeled: np.ndarray) -> dict[str, Any]:
  """Sizes and hash of the parts; under stress also the unlabeled stream's, and how many labels are wrong."""
  index = (dataset.train_index[labeled], dataset.train_index, dataset.validation_index, dataset.test_index)
  sizes: dict[str, Any] = dict(zip(('labeled', 'train', 'validation', 'test'), map(len, index)))
  more: dict[str, np.ndarray] = {}
  if config.stress is not None:
    given = dataset.given_labels[labeled]
    more['given'] = given
    more['stream'] = np.arange(dataset.n_images) if dataset.stream is None else dataset.stream
    more['shift'] = np.frombuffer((config.stress.shift or '').encode(), np.uint8)
    sizes |= {'unlabeled': dataset.n_unlabeled, 'wrong': int((given != dataset.train_labels[labeled]).sum())}
    sizes['classes'] = len(np.unique(dataset.test_labels))
  return {'labels': len(labeled), 'split': {'hash': data.split_hash(*index, **more), **sizes}}
