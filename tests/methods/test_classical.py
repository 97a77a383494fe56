"""Self-training beside scikit-learn's, on real digits."""

import jax
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.semi_supervised import SelfTrainingClassifier
from support.tiny_method import make_method

from ssl_bench.contract import State

DIGITS = load_digits()
IMAGES = np.round(DIGITS.images[:600, :, :, None] * 15.9375).astype('uint8')
AT = np.arange(40, dtype='int32')


@pytest.mark.parametrize('threshold', [0.75, 0.95])
def test_self_training_is_that_of_scikit_learn(threshold):
  method = make_method('self_training', None, 10, 1.0, examples=600, threshold=threshold, shrinkage=0.3)
  seen = {'labeled': {'image': IMAGES[:1] / 127.5 - 1}}
  state = State(jax.random.key(0), 0, *method.init(jax.random.key(0), seen), ())
  known = {'index': AT, 'label': DIGITS.target[AT].astype('int32'), 'valid': np.ones(40, bool)}
  state = method.refresh(state, {'labeled': known, 'unlabeled': {'image': IMAGES}}, jax.random.key(0), None)
  others = DIGITS.images[600:, :, :, None] * 15.9375 / 127.5 - 1
  ours = np.asarray(jax.nn.softmax(method.predict(state, others.astype('float32'))))

  flat = IMAGES.reshape(600, -1) / 127.5 - 1
  labels = np.where(np.arange(600) < 40, DIGITS.target[:600], -1)
  base = LinearDiscriminantAnalysis(solver='lsqr', shrinkage=0.3)
  theirs = SelfTrainingClassifier(base, threshold=threshold, max_iter=10).fit(flat, labels)
  np.testing.assert_allclose(ours, theirs.predict_proba(others.reshape(len(others), -1)), atol=1e-4)
  assert theirs.transduction_[40:].max() >= 0  # some got a label
  assert (ours.argmax(1) == DIGITS.target[600:]).mean() > 0.8
