"""Recall@k against a search written out query by query, and where ranks are tied."""

import numpy as np

from ssl_bench.evaluation.retrieval import different, first_rank, matches, retrieval

CAPTIONS = np.array(  # five images, two texts each, of six different ones
  [[[1, 0], [2, 0]], [[2, 0], [3, 0]], [[1, 5], [1, 5]], [[9, 9], [1, 0]], [[7, 7], [9, 9]]], np.uint8
)


def unit(shape, seed):
  x = np.random.default_rng(seed).normal(size=shape)
  return x / np.linalg.norm(x, axis=1, keepdims=True)


def search(queries, gallery, belongs, k):
  """The share of queries with a match among the k nearest."""
  hits = 0
  for i, query in enumerate(queries):
    nearest = sorted(range(len(gallery)), key=lambda j: -float(query @ gallery[j]))[:k]
    hits += any(belongs(i, j) for j in nearest)
  return hits / len(queries)


def test_texts_written_alike_are_one_text():
  texts = different(CAPTIONS)
  assert texts.tolist() == [[1, 0], [1, 5], [2, 0], [3, 0], [7, 7], [9, 9]]
  own = matches(CAPTIONS)
  assert own.sum(1).tolist() == [2, 2, 1, 2, 2]
  assert own[:, 0].tolist() == [True, False, False, True, False]


def test_recall_equals_a_search():
  images, texts = unit((5, 3), 0), unit((6, 3), 1)
  rows = [list(map(tuple, image.tolist())) for image in CAPTIONS]
  names = list(map(tuple, different(CAPTIONS).tolist()))
  found = retrieval(images, CAPTIONS, texts, ks=(1, 2, 3))
  for k in (1, 2, 3):
    assert found[f'image_to_text@{k}'] == search(images, texts, lambda i, j: names[j] in rows[i], k)
    assert found[f'text_to_image@{k}'] == search(texts, images, lambda i, j: names[i] in rows[j], k)
  assert len(set(found.values())) > 2


def test_a_tie_goes_to_the_others():
  own = np.array([[True, False, False], [False, True, True]])
  assert first_rank(np.array([[1.0, 1.0, 0.0], [1.0, 0.5, 0.0]]), own).tolist() == [2, 2]
  collapsed = np.ones((5, 4)) / 2
  assert set(retrieval(collapsed, CAPTIONS, np.ones((6, 4)) / 2, ks=(1,)).values()) == {0.0}


def test_recall_is_certain_where_everything_counts():
  found = retrieval(unit((5, 3), 2), CAPTIONS, unit((6, 3), 3))
  assert found.keys() == {f'{way}@{k}' for way in ('image_to_text', 'text_to_image') for k in (1, 5, 10)}
  assert found['image_to_text@10'] == found['text_to_image@5'] == 1
