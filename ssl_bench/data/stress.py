"""Stress on a trial's data: wrong labels, unlabeled images of other classes, rare classes, fewer images, a
class that is left out, a group that training never sees, and another set to adapt to.

Like the labeled subset, each stress chooses positions of the training part in the order of sha256 digests of
(split_seed, position); so a smaller share is the beginning of a larger one.  The data that are evaluated stay
the same, with four exceptions.  Test and validation images of classes without labels are left out, and only
the measures of the open set see the test images among them; a class
that training lacks is left out of all parts, and its test images are anomalies; all examples of a group that
is held out are the test part; so are the test images of a set to adapt to.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.conform import check_conform, conform
from ssl_bench.data.meta import PARTS
from ssl_bench.data.split import by_hash, count_of, in_rounds, labeled_indices, queues
from ssl_bench.settings.signature import BadSetting, short, suggest

KNOWN = 0.6  # share of the classes that have labels under a mismatch: 6 of 10


class Classes(NamedTuple):
  """The classes that have labels, and the classes of the unlabeled images."""

  labeled: tuple[int, ...]
  unlabeled: tuple[int, ...]


def mismatched_classes(mismatch: float, classes: int, split_seed: int) -> Classes:
  """The classes of a mismatch between labeled and unlabeled images (Oliver et al. 2018, section 4.4).

  6 of 10 classes have labels (`KNOWN`), 4 have none.  The unlabeled images come from 4 classes, of which the
  share `mismatch` has no labels: 0, 0.25, 0.5, 0.75 or 1.  `split_seed` decides which classes these are.
  Raises `BadSetting` for another share.
  """
  order = sorted(range(classes), key=lambda label: by_hash(split_seed, 'class', label))
  known, unknown = order[: round(KNOWN * classes)], order[round(KNOWN * classes) :]
  new = mismatch * len(unknown)
  if not known or not unknown or abs(new - round(new)) > 1e-6:
    shares = ', '.join(f'{i / len(unknown):.4g}' for i in range(len(unknown) + 1)) if unknown else 'none'
    raise BadSetting(f'stress.mismatch: with {classes} classes the shares are {shares}, not {mismatch:g}.')
  sources = unknown[: round(new)] + known[: len(unknown) - round(new)]
  return Classes(tuple(sorted(known)), tuple(sorted(sources)))


def long_tail(total: int, ratio: float, classes: int) -> list[int]:
  """The number of images of each class in an exponential long tail of `total` images (Cui et al. 2019).

  n_c ∝ ratio^(-c / (classes - 1)), at least 1: the first class has `ratio` times as many images as the last,
  and a ratio below 1 makes the last class the largest.  The largest remainders are rounded up.
  """
  weights = float(ratio) ** (-np.arange(classes) / max(classes - 1, 1))
  exact = total * weights / weights.sum()
  counts = np.maximum(1, np.floor(exact).astype(int))
  while counts.sum() > total:
    counts[(counts - exact - 1e9 * (counts == 1)).argmax()] -= 1
  while counts.sum() < total:
    counts[(exact - counts).argmax()] += 1
  return counts.tolist()


def labeled_positions(
  labels: np.ndarray,
  budget: int | float,
  *,
  split_seed: int,
  classes: int,
  fold: np.ndarray | None = None,
  mismatch: float | None = None,
  imbalance: float | None = None,
) -> np.ndarray:
  """`split.labeled_indices` among the labeled classes of a mismatch, or with the counts of a long tail."""
  labels = np.asarray(labels)
  if mismatch is None and imbalance is None:
    return labeled_indices(labels, budget, split_seed=split_seed, classes=classes, fold=fold)
  known = range(classes) if mismatch is None else mismatched_classes(mismatch, classes, split_seed).labeled
  eligible = np.isin(labels, known)
  if fold is not None:
    eligible &= np.isin(np.arange(len(labels)), fold)
  by_class = [[i for i in queue if eligible[i]] for queue in queues(labels, split_seed, known)]
  count = count_of(
    budget, int(eligible.sum()), len(known), 'the training part' if fold is None else 'the fold'
  )
  if imbalance is None:
    return in_rounds(by_class, split_seed)[:count]
  counts = long_tail(count, imbalance, classes)
  for label, (queue, n) in enumerate(zip(by_class, counts)):
    if n > len(queue):
      raise BadSetting(
        f'stress.imbalance: class {label} would have {n} labels and {len(queue)} images; ask for fewer.'
      )
  return in_rounds([queue[:n] for queue, n in zip(by_class, counts)], split_seed)


def unlabeled_positions(
  dataset: Dataset,
  *,
  split_seed: int,
  mismatch: float | None = None,
  imbalance: float | None = None,
  budget: int | float | None = None,
) -> np.ndarray:
  """Positions of the unlabeled stream's images, int32 ascending.

  Each class gives its first images in the order from which the labeled subset is drawn too, so the stream
  holds the labeled images where it has room for them.  Under a `mismatch`, each of its classes gives as many
  images as the smallest class of the training part has.  With an `imbalance`, the largest class of the long
  tail has that many.  A `budget` (a count, or a fraction of the images that the others leave) takes the same
  share of each class.
  """
  labels = np.full(dataset.n_images, -1)
  labels[: dataset.n_train] = dataset.train_labels
  *groups, extra = queues(labels, split_seed, [*range(dataset.classes), -1])
  if mismatch is not None or imbalance is not None:
    if extra:
      raise BadSetting(
        f'stress: {dataset.name} has unlabeled images of which nobody knows the class; leave mismatch and '
        'imbalance.unlabeled out.'
      )
    smallest = min(map(len, groups))
    if mismatch is not None:
      sources = mismatched_classes(mismatch, dataset.classes, split_seed).unlabeled
      groups = [groups[label][:smallest] for label in sources]
    else:
      counts = _tail_of(smallest, imbalance or 1, dataset.classes)
      groups = [queue[:n] for queue, n in zip(groups, counts)]
  kept = [queue for queue in [*groups, extra] if queue]
  if budget is None:
    return np.sort(np.concatenate(kept)).astype(np.int32)
  count = count_of(budget, sum(map(len, kept)), 1, 'the unlabeled stream')
  places = [
    ((rank + 0.5) / len(queue), by_hash(split_seed, 'part', i), i)
    for queue in kept
    for rank, i in enumerate(queue)
  ]
  return np.sort([i for *_, i in sorted(places)[:count]]).astype(np.int32)


def _tail_of(largest: int, ratio: float, classes: int) -> list[int]:
  """A long tail whose most frequent class has `largest` images."""
  weights = float(ratio) ** (-np.arange(classes) / max(classes - 1, 1))
  return np.maximum(1, np.rint(largest * weights / weights.max())).astype(int).tolist()


def noisy(labels: np.ndarray, share: float, among: Sequence[int], split_seed: int) -> np.ndarray:
  """Symmetric label noise: round(share · count) of the labels [count], chosen by hash, become wrong.

  Each other class in `among` is equally likely.
  """
  labels, among = np.array(labels, np.int32), list(among)
  if len(among) < 2:
    raise BadSetting('stress.label_noise needs two classes to choose from.')
  order = sorted(range(len(labels)), key=lambda i: by_hash(split_seed, 'noise', i))
  for i in order[: round(share * len(labels))]:
    others = [label for label in among if label != labels[i]]
    labels[i] = others[int.from_bytes(by_hash(split_seed, 'wrong', i)[:8], 'big') % len(others)]
  return labels


def without_unknown(dataset: Dataset, known: Sequence[int]) -> Dataset:
  """The dataset with validation and test images of the known classes only; `classes` stays the same.

  The other test images become the unknown ones.  Applied again, it changes nothing.
  """
  known_only = lambda part: np.isin(getattr(dataset, f'{part}_labels'), known)
  kept = {part: known_only(part) for part in ('validation', 'test')}
  if not kept['test'].all():
    dataset = dataset._replace(unknown_images=dataset.test_images[~kept['test']])
  return _with_only(dataset, kept)


def _with_only(dataset: Dataset, kept: Mapping[str, np.ndarray]) -> Dataset:
  """The dataset with some examples of these parts, bool [N] each."""
  names = [(part, f'{part}_{what}') for part in kept for what in ('images', 'labels', 'index', 'groups')]
  found = ((part, name, getattr(dataset, name)) for part, name in names)
  return dataset._replace(**{name: array[kept[part]] for part, name, array in found if array is not None})


def without_class(dataset: Dataset, anomaly: int) -> Dataset:
  """The dataset without a class, whose test images become the anomalies; `classes` stays the same.

  Applied again, it changes nothing.  Raises `BadSetting` where there is no such class, where fewer than two
  would be left, and where images of the class cannot be left out of what training sees.
  """
  name, classes = dataset.name, dataset.classes
  if anomaly >= classes or classes < 3:
    told = f'are 0 to {classes - 1}' if classes > 2 else f'are {classes}, and two must be left'
    raise BadSetting(f'stress.anomaly: {name} has no class {anomaly} to leave out; its classes {told}.')
  if any(x is not None for x in (dataset.graph, dataset.unlabeled_images, dataset.folds, dataset.captions)):
    raise BadSetting(
      f'stress.anomaly: {name} has a graph, captions, folds or images without labels, from which no class '
      'can be left out; use another set.'
    )
  if anomaly not in dataset.train_labels:
    return dataset
  anomalies = dataset.test_images[dataset.test_labels == anomaly]
  others = {part: getattr(dataset, f'{part}_labels') != anomaly for part in PARTS}
  return _with_only(dataset._replace(anomaly_images=anomalies), others)


def hold_out(dataset: Dataset, group: str) -> Dataset:
  """The dataset whose test part is all examples of a group, and the other parts those of other groups alone.

  What the official test part holds of the other groups is left out.  `test_index` counts on from the official
  training split to the official test split.  Applied again, it changes nothing.  Raises `BadSetting` where
  there are no groups, or none of that name.
  """
  names = dataset.group_names
  if not names:
    raise BadSetting(
      f'stress.held_out: {dataset.name} does not say which group an example is from; leave it out.'
    )
  if group not in names:
    raise BadSetting(f'stress.held_out: {dataset.name} has no group {short(group)}; {suggest(group, names)}')
  if dataset.unlabeled_images is not None or dataset.folds:
    raise BadSetting(
      f'stress.held_out knows no group of the unlabeled images and folds of {dataset.name}; leave it out.'
    )
  own = {part: getattr(dataset, f'{part}_groups') == names.index(group) for part in PARTS}
  if own['test'].all() and not own['train'].any() and not own['validation'].any():
    return dataset
  first = {'train': 0, 'validation': 0, 'test': len(dataset.train_index) + len(dataset.validation_index)}
  changed: dict[str, Any] = {}
  for what in ('images', 'labels', 'index', 'groups'):
    arrays = {part: getattr(dataset, f'{part}_{what}') for part in PARTS}
    if what == 'index':
      arrays = {part: array + np.int32(first[part]) for part, array in arrays.items()}
    changed[f'test_{what}'] = np.concatenate([arrays[part][own[part]] for part in PARTS])
    changed |= {f'{part}_{what}': arrays[part][~own[part]] for part in ('train', 'validation')}
  return dataset._replace(**changed)


def onto(dataset: Dataset, target: Dataset) -> Dataset:
  """The dataset for domain adaptation: labels as they were, unlabeled and test images of another set.

  The target's training images, in the form of the dataset's (`data.conform`), are the whole unlabeled stream,
  and its test images the test part; no label of its training or validation part is used.  Training and
  validation part stay, and what they choose, they choose by labels of the source.  Applied again, it changes
  nothing.  Raises `BadSetting` where the classes are others, and where there is no such form.
  """
  check_conform(target, dataset, 'stress.target')
  if target.label_names != dataset.label_names or dataset.classes < 2:
    raise BadSetting(f'stress.target: {target.name} has other classes than {dataset.name}; leave it out.')
  if dataset.captions is not None or dataset.folds:
    raise BadSetting(f'stress.target: {dataset.name} has captions or folds, which others lack; leave it out.')
  return dataset._replace(
    unlabeled_images=conform(target.train_images, dataset),
    stream=np.arange(dataset.n_train, dataset.n_train + target.n_train, dtype=np.int32),
    test_images=conform(target.test_images, dataset),
    test_labels=target.test_labels,
    test_index=target.test_index,
    test_groups=None,
  )
