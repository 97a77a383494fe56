"""The verdict on a pretraining: does its loss fall while its features get worse?"""

import pytest

from ssl_bench.evaluation import loss_and_probe
from ssl_bench.evaluation.loss_and_probe import FALLS, RISES, STAYS, judge


def looks(*pairs):
  return [{'step': 100 * i, 'pretext_loss': loss, 'knn': knn} for i, (loss, knn) in enumerate(pairs, 1)]


@pytest.mark.parametrize(
  ('pairs', 'found'),
  [
    (((3, 0.5), (2, 0.9), (1, 0.6)), FALLS),
    (((3, 0.5), (2, 0.9), (1, 0.89)), STAYS),  # a point of 200 images is noise
    (((3, 0.5), (2, 0.9), (2.1, 0.6)), RISES),
    (((3, 0.5), (2, 0.7), (1, 0.9)), STAYS),  # the last look is the best
    (((1, 0.5), (2, 0.9)), RISES),
    (((3, 0.9), (2, 0.9)), STAYS),
  ],
)
def test_the_last_look_is_compared_with_that_of_the_best_probe(pairs, found):
  verdict = judge(looks(*pairs), 200)
  assert verdict.said.startswith(f'{found}: from step ') and verdict.falls == (found == FALLS)


def test_the_sentence_has_the_numbers():
  said = judge(looks((3, 0.5), (2.5, 0.9), (1, 0.6)), 200).said
  assert said == (
    'Loss falls, probe falls: from step 200 to 300 the held-out loss goes from 2.5 to 1, '
    'kNN on validation from 90.0 to 60.0 %'
  )


def test_a_fall_has_to_be_larger_than_chance():
  """By the textbook's standard error: 0.9 to 0.85 of 200 images is 1.53 of them, of 1,000 it is 3.4."""
  pair = looks((3, 0.9), (2, 0.85))
  error = lambda n: (0.9 * 0.1 / n + 0.85 * 0.15 / n) ** 0.5
  assert 1.96 * error(1000) < 0.05 < 1.96 * error(200)
  assert not judge(pair, 200).falls and judge(pair, 1000).falls
  small = looks((3, 0.9), (2, 0.88))
  assert not judge(small, 10**6).falls, f'no more than {loss_and_probe.HELD} images are looked at'


@pytest.mark.parametrize(
  'rows',
  [
    [],
    looks((3, 0.5)),
    [{'step': 1, 'knn': 0.5}, {'step': 2, 'knn': 0.6}],
    [{'step': 1, 'knn': 0.5, 'pretext_loss': 'NaN'}, *looks((1, 0.5))],
    [{'step': 1, 'knn': None, 'pretext_loss': 1.0}, *looks((1, 0.5))],
  ],
)
def test_without_two_looks_at_both_there_is_no_verdict(rows):
  assert judge(rows, 200) is None
