"""Labeled subsets are balanced, nested, pinned by hash, and refused where they cannot be."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from ssl_bench.data.datasets.digits import digits
from ssl_bench.data.split import cut, labeled_indices, labeled_order, split_hash
from ssl_bench.settings.signature import BadSetting

LABELS = np.random.default_rng(0).integers(0, 7, 500).astype(np.int32)
PINNED_40 = ['d41794da07e5b49d', '090d3478a5c5ac53']
PINNED_ORDER = '4c52910f6fcd5504'


def sha(array):
  return hashlib.sha256(np.ascontiguousarray(array, '<i4').tobytes()).hexdigest()[:16]


def counts(labels, index, classes):
  return np.bincount(labels[index], minlength=classes)


def test_every_prefix_is_balanced_until_a_class_is_used_up():
  order = labeled_order(LABELS, 3, 7)
  assert sorted(order) == list(range(len(LABELS)))
  totals = counts(LABELS, slice(None), 7)
  for size in range(len(LABELS) + 1):
    seen = counts(LABELS, order[:size], 7)
    open_classes = seen < totals
    fewest = seen[open_classes].min() if open_classes.any() else seen.max()
    assert np.all((seen <= fewest + 1) | ~open_classes)
    assert np.all(seen[~open_classes] <= fewest + 1)


def test_budgets_are_nested_and_seeds_differ():
  data = digits()
  by_budget = [
    labeled_indices(data.train_labels, n, split_seed=0, classes=10) for n in (10, 20, 40, 100, 1197)
  ]
  for small, large in pairwise(by_budget):
    np.testing.assert_array_equal(large[: len(small)], small)
  for index in by_budget[:4]:
    assert index.dtype == np.int32
    assert set(counts(data.train_labels, index, 10)) == {len(index) // 10}
  other = labeled_indices(data.train_labels, 40, split_seed=1, classes=10)
  assert set(other) != set(by_budget[2])


def test_a_remainder_goes_to_random_classes():
  chosen = set()
  for seed in range(30):
    seen = counts(LABELS, labeled_indices(LABELS, 15, split_seed=seed, classes=7), 7)
    assert sorted(seen) == [2] * 6 + [3]
    chosen.add(int(seen.argmax()))
  assert len(chosen) == 7


def test_a_fraction_is_a_balanced_count():
  tenth = labeled_indices(LABELS, 0.1, split_seed=0, classes=7)
  np.testing.assert_array_equal(tenth, labeled_indices(LABELS, 50, split_seed=0, classes=7))
  assert np.ptp(counts(LABELS, tenth, 7)) <= 1
  assert len(labeled_indices(LABELS, 1.0, split_seed=0, classes=7)) == 500


def test_a_fold_restricts_the_draw():
  fold = np.arange(100, 300, dtype=np.int32)
  index = labeled_indices(LABELS, 70, split_seed=0, classes=7, fold=fold)
  assert set(index) <= set(fold)
  assert set(counts(LABELS, index, 7)) == {10}
  assert len(labeled_indices(LABELS, 1.0, split_seed=0, classes=7, fold=fold)) == 200
  with pytest.raises(BadSetting, match='at most 200'):
    labeled_indices(LABELS, 201, split_seed=0, classes=7, fold=fold)


@pytest.mark.parametrize('budget, says', [
  (6, 'at least one'), (0.001, 'at least one'), (501, 'at most 500'), (0.0, r'\(0, 1\]'), (1.5, r'\(0, 1\]'),
  (40.0, 'no point'), (-1, 'at least one'), (True, 'a count or a fraction'), ('all', 'a count or a fraction'),
])  # fmt: skip
def test_an_impossible_budget_is_refused(budget, says):
  with pytest.raises(BadSetting, match=says):
    labeled_indices(LABELS, budget, split_seed=0, classes=7)


def test_the_draw_is_pinned():
  labels = digits().train_labels
  assert [sha(labeled_indices(labels, 40, split_seed=seed, classes=10)) for seed in (0, 1)] == PINNED_40
  assert sha(labeled_order(labels, 0, 10)) == PINNED_ORDER


def test_cut_gives_disjoint_balanced_parts():
  first, second, rest = cut(LABELS, [70, 35], salt='x', classes=7)
  assert sorted(np.concatenate([first, second, rest])) == list(range(500))
  assert set(counts(LABELS, first, 7)) == {10}
  assert set(counts(LABELS, second, 7)) == {5}
  assert all(np.all(np.diff(part) > 0) for part in (first, second, rest))


def test_split_hash_sees_every_part():
  parts = [np.arange(3), np.arange(5), np.arange(7), np.arange(9)]
  hashes = {split_hash(*parts)}
  for i in range(4):
    moved = [part + (i == j) for j, part in enumerate(parts)]
    hashes.add(split_hash(*moved))
  assert len(hashes) == 5
  assert split_hash(*[part.astype(np.int64) for part in parts]) in hashes
