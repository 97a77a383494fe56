"""Predictions in half precision tell what the logits told."""

import numpy as np
import pytest

from ssl_bench.evaluation.predictions import rounded
from ssl_bench.evaluation.scores import nll, softmax


def test_the_predicted_class_stays_where_rounding_would_make_a_tie():
  logits = np.random.default_rng(0).normal(size=(5000, 4)).astype('float32')
  logits[:1000, 1] = logits[:1000, 0] * (1 + 1e-6)  # the two are one number in half precision
  plain = np.log(softmax(logits)).astype('float16').astype('float64')
  assert (plain.argmax(-1) != logits.argmax(-1)).any()
  found = rounded(logits)
  assert found.dtype == np.float16
  np.testing.assert_array_equal(found.argmax(-1), logits.argmax(-1))
  assert ((found == found.max(-1, keepdims=True)).sum(-1) == 1).all()
  np.testing.assert_allclose(np.exp(found.astype(float)), softmax(logits), rtol=0.004)


def test_confident_images_keep_their_order_and_a_wrong_one_its_loss():
  margin = np.linspace(6, 15, 50)  # of probabilities from 0.9975 to 0.9999997
  logits = np.stack([margin, np.zeros(50)], -1)
  confidence = rounded(logits)[:, 0]
  assert (np.diff(confidence) > 0).all()
  assert len(np.unique(softmax(logits)[:, 0].astype('float16'))) < 10  # as probabilities they would tie
  assert nll(rounded(100 * logits), np.ones(50, int)) == pytest.approx(100 * margin.mean(), rel=1e-3)


def test_logits_of_any_size_stay_finite():
  found = rounded([[1e6, 0.0, -1e6], [3.0, 3.0, 3.0]])
  assert np.isfinite(found).all()
  np.testing.assert_allclose(np.exp(found.astype(float))[1], 1 / 3, rtol=1e-3)
  assert found[1].argmax() == 0  # of equal classes the first, as accuracy has it
