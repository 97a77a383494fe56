"""Who holds which image: every image once, the same on every machine, as uneven as asked."""

import hashlib

import numpy as np
import pytest
from scipy import stats

from ssl_bench.data.clients import deal, parse_split
from ssl_bench.data.datasets.digits import digits
from ssl_bench.settings.signature import BadSetting

LABELS = np.random.default_rng(0).integers(0, 10, 600).astype('int32')
POOL = np.arange(100, 140, dtype='int32')[::-1].copy()
PINNED = {'iid': '0b79b87dc175baa9', 'dirichlet(0.3)': '85abe619cc67f5c4'}


def held(shares):
  """(images, labeled images) of each client."""
  return [
    tuple(part[end - n : end] for part, n, end in zip((shares.images, shares.labeled), row, ends))
    for row, ends in zip(
      zip(shares.sizes, shares.labels), zip(np.cumsum(shares.sizes), np.cumsum(shares.labels))
    )
  ]


@pytest.mark.parametrize('split', ['iid', 'dirichlet(0.3)', 'dirichlet(100)'])
def test_every_image_has_one_holder_who_has_its_label_too(split):
  shares = deal(LABELS, 10, clients=7, split=split, seed=3, extra=50, labeled=POOL, least=16)
  clients = held(shares)
  assert sorted(np.concatenate([images for images, _ in clients])) == list(range(650))
  assert sorted(np.concatenate([labeled for _, labeled in clients])) == sorted(POOL)
  for images, labeled in clients:
    assert set(labeled) <= set(images) and len(labeled) >= 1 and len(images) >= 16
    assert list(images) == sorted(images)
    assert list(labeled) == [i for i in POOL if i in set(labeled)]  # in the order of the draw
  assert {x.dtype for x in shares} == {np.dtype('int32')}


def test_iid_shares_are_equal_and_so_are_their_labels():
  shares = deal(LABELS, 10, clients=7, split='iid', seed=0, labeled=POOL)
  assert np.ptp(shares.sizes) <= 1 and np.ptp(shares.labels) <= 1
  by_class = np.array([np.bincount(LABELS[images], minlength=10) for images, _ in held(shares)])
  assert stats.chi2_contingency(by_class).pvalue > 1e-3


def test_the_deal_depends_on_the_seed_and_on_no_label_that_training_does_not_see():
  one, again, other = (deal(LABELS, 10, clients=5, split='dirichlet(1)', seed=s) for s in (0, 0, 1))
  np.testing.assert_array_equal(one.images, again.images)
  assert not np.array_equal(one.images, other.images)
  assert not one.labels.any() and not len(one.labeled)


def test_class_shares_are_those_of_a_dirichlet_distribution():
  """Each client's share of a class is Beta(α, (clients - 1) α): here of 20,000 images, so nearly exact."""
  labels = np.repeat(np.arange(4), 5000).astype('int32')
  shares = [deal(labels, 4, clients=5, split='dirichlet(0.5)', seed=s, least=0) for s in range(12)]
  drawn = [np.bincount(labels[images], minlength=4) / 5000 for one in shares for images, _ in held(one)[:1]]
  assert stats.kstest(np.ravel(drawn), stats.beta(0.5, 2).cdf).pvalue > 1e-3


def test_a_small_concentration_gives_a_class_to_one_client_and_a_large_one_to_all():
  def largest(split):
    shares = deal(LABELS, 10, clients=5, split=split, seed=1)
    by_class = np.array([np.bincount(LABELS[images], minlength=10) for images, _ in held(shares)])
    return (by_class.max(0) / by_class.sum(0)).mean()

  assert largest('dirichlet(0.02)') > 0.9 and largest('dirichlet(1000)') < 0.3


def test_the_deal_is_pinned():
  data = digits()
  for split, pin in PINNED.items():
    shares = deal(data.train_labels, 10, clients=10, split=split, seed=0, least=64)
    assert hashlib.sha256(b''.join(x.astype('<i4').tobytes() for x in shares)).hexdigest()[:16] == pin, split


@pytest.mark.parametrize(
  'changes, told',
  [
    (
      {'clients': 50, 'least': 16},
      'cannot hold 16 of 600 images each, one unlabeled batch; make fed',
    ),
    ({'clients': 41}, '40 labels are too few for 41 clients'),
    ({'clients': 20, 'split': 'dirichlet(0.01)', 'least': 29}, r'No deal of dirichlet\(0.01\) in 1000'),
  ],
)
def test_what_cannot_be_dealt_is_one_sentence(changes, told):
  settings = {'clients': 5, 'split': 'iid', 'seed': 0, 'labeled': POOL, **changes}
  with pytest.raises(BadSetting, match=told):
    deal(LABELS, 10, **settings)


def test_splits_are_read_and_others_refused():
  assert parse_split('iid') is None and parse_split('dirichlet(0.3)') == 0.3
  for text in ('', 'iid(3)', 'dirichlet', 'dirichlet(0)', 'dirichlet(a)', 'dirichlet(1, 2)', 'shards(2)'):
    with pytest.raises(BadSetting, match='write iid or dirichlet'):
      parse_split(text)
