"""Numbers of records: where each stands, its value for every pair of seeds, its mean and interval."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from ssl_bench.evaluate.intervals import grouped_interval
from ssl_bench.leaderboard.rows import Bins, Mean, Seeds
from ssl_bench.leaderboard.trials import Pair, Record, Trial, at, finite, number

Path = tuple[str | Callable[[list[float]], float], ...]
PATHS: dict[str, Path] = {  # measure -> where it stands in a record, and what of a list is meant
  'accuracy': ('metrics', 'accuracy'),
  'worst_class': ('metrics', 'accuracy_by_class', min),
  'class_spread': ('metrics', 'accuracy_by_class', lambda found: max(found) - min(found)),
  'transductive': ('metrics', 'transductive', 'accuracy'),
  'linear': ('metrics', 'linear', 'accuracy'),
  'linear_budget': ('metrics', 'linear_budget', 'accuracy'),
  'knn20': ('metrics', 'knn', '20'),
  'knn200': ('metrics', 'knn', '200'),
  'propagated': ('metrics', 'label_propagation', 'accuracy'),
  'propagated_inside': ('metrics', 'label_propagation', 'transductive'),
  'spread': ('metrics', 'label_spreading', 'accuracy'),
  'spread_inside': ('metrics', 'label_spreading', 'transductive'),
  'nll': ('metrics', 'nll'),
  'nll_scaled': ('metrics', 'scaled', 'nll'),
  'nll_isotonic': ('metrics', 'isotonic', 'nll'),
  'ece': ('metrics', 'ece'),
  'ece_scaled': ('metrics', 'scaled', 'ece'),
  'ece_isotonic': ('metrics', 'isotonic', 'ece'),
  'ece_adaptive': ('metrics', 'ece_adaptive'),
  'ece_classwise': ('metrics', 'ece_classwise'),
  'mce': ('metrics', 'mce'),
  'brier': ('metrics', 'brier'),
  'temperature': ('metrics', 'temperature'),
  'precision': ('metrics', 'pseudo_labels', 'precision'),
  'coverage': ('metrics', 'pseudo_labels', 'coverage'),
  'agreement': ('metrics', 'pseudo_labels', 'agreement'),
  'raw': ('metrics', 'raw', 'accuracy'),
  'validation_selected': ('metrics', 'accuracy_validation_selected'),
  'median_last': ('metrics', 'accuracy_median_last'),
  'best_on_test': ('metrics', 'accuracy_best_on_test'),
  'image_to_text': ('metrics', 'retrieval', 'image_to_text@1'),
  'text_to_image': ('metrics', 'retrieval', 'text_to_image@1'),
  'image_to_text_5': ('metrics', 'retrieval', 'image_to_text@5'),
  'image_to_text_10': ('metrics', 'retrieval', 'image_to_text@10'),
  'text_to_image_5': ('metrics', 'retrieval', 'text_to_image@5'),
  'text_to_image_10': ('metrics', 'retrieval', 'text_to_image@10'),
  'epsilon': ('metrics', 'privacy', 'epsilon'),
  'membership_auc': ('metrics', 'membership_auc'),
  'feature_std': ('metrics', 'health', 'feature_std'),
  'rankme': ('metrics', 'health', 'rankme'),
  'embedding_entropy': ('metrics', 'health', 'embedding_entropy'),
  'alignment': ('metrics', 'health', 'alignment'),
  'uniformity': ('metrics', 'health', 'uniformity'),
  'rounds': ('cost', 'federated', 'rounds'),
  'clients': ('cost', 'federated', 'clients'),
  'participants': ('cost', 'federated', 'participants'),
  'bytes_down': ('cost', 'federated', 'bytes_down'),
  'bytes_up': ('cost', 'federated', 'bytes_up'),
  'gflops_per_epoch': ('cost', 'gflops_per_epoch'),
  'seconds_per_epoch': ('cost', 'seconds_per_epoch'),
  'images_per_second': ('cost', 'images_per_second'),
  'compile_seconds': ('cost', 'compile_seconds'),
  'peak_memory_bytes': ('cost', 'peak_memory_bytes'),
  'parameters': ('cost', 'parameters'),
  'gflops_per_image': ('cost', 'gflops_per_image'),
  'inference_images_per_second': ('cost', 'inference_images_per_second'),
}


def values(trials: Sequence[Trial], measure: str) -> dict[Pair, float]:
  """The measure of each (split_seed, seed) pair that has it; repeated pairs count once, by their mean."""
  found: dict[Pair, list[float]] = {}
  for t in trials:
    if (value := measure_of(t.record, measure)) is not None:
      found.setdefault(t.pair, []).append(value)
  return {pair: sum(found[pair]) / len(found[pair]) for pair in sorted(found)}


def measure_of(record: Record, measure: str) -> float | None:
  """One number of a record; the accuracy of a method without a classifier is that of its probe."""
  value = _at(record, PATHS[measure])
  if value is None and measure == 'accuracy' and record.get('family') == 'self-supervised':
    return _at(record, PATHS['linear_budget'])
  return value


def _at(record: Record, path: Path) -> float | None:
  names = [part for part in path if isinstance(part, str)]
  if len(names) == len(path):
    return number(record, *names)
  listed, reduce = at(record, *names), path[-1]
  found = [value for part in listed or () if (value := finite(part)) is not None]
  return reduce(found) if found and callable(reduce) else None


def mean(found: Mapping[Pair, float]) -> Mean:
  """The mean of one value or more, with its interval: seeds within a split are averaged first."""
  middle, half = grouped_interval(list(found.values()), [pair.group for pair in found])
  return Mean(middle, half, *count(found))


def count(pairs: Collection[Pair]) -> tuple[int, Seeds]:
  """How many splits there are, and how many seeds they have."""
  each = Counter(pair.group for pair in pairs).values()
  return len(each), Seeds(len(pairs), min(each), max(each))


def pool(diagrams: Sequence[Mapping[str, Sequence[float | None]]]) -> Bins | None:
  """Reliability diagrams of several trials as one, each image counting once."""
  if not diagrams:
    return None
  columns = range(min(len(d['count']) for d in diagrams))
  count = [sum(d['count'][i] or 0 for d in diagrams) for i in columns]

  def weighted(name: str) -> tuple[float, ...]:
    value = lambda d, i: finite(d[name][i]) or 0
    sums = [sum((d['count'][i] or 0) * value(d, i) for d in diagrams if d['count'][i]) for i in columns]
    return tuple(s / n if n else 0.0 for s, n in zip(sums, count))

  return Bins(tuple(float(n) for n in count), weighted('confidence'), weighted('accuracy'))


def device_of(record: Record) -> str:
  """The kind of device that a record was made on, and how many where more than one."""
  device = (record.get('environment') or {}).get('device') or {}
  count = device.get('count') or 1
  return f'{device.get("kind") or device.get("platform") or ""}{f" × {count}" if count > 1 else ""}'
