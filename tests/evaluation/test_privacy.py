"""ε against published values and exact formulas, and the attack against scikit-learn."""

import importlib.util
import math

import numpy as np
import pytest
from scipy import special, stats
from sklearn.metrics import roc_auc_score

from ssl_bench.evaluation import privacy
from ssl_bench.settings.signature import BadSetting

accounted = pytest.mark.skipif(
  importlib.util.find_spec('dp_accounting') is None, reason='needs dp-accounting'
)


ORDERS = np.concatenate([np.arange(1.05, 12, 0.05), np.arange(12.0, 64)])


def accountant(noise, rate, steps, delta):
  """The moments accountant of Abadi et al. (2016), theorem 2: the least (T · log-moment - log δ) / order.

  The moment of order α - 1 is ∫ q (p / q)^α with q = N(0, σ²) and p = (1 - rate) q + rate N(1, σ²).
  """
  at, apart = np.linspace(-20 * noise, 64 + 20 * noise, 20_001, retstep=True)
  log_q = stats.norm.logpdf(at, 0, noise)
  log_ratio = np.logaddexp(np.log1p(-rate), np.log(rate) + (2 * at - 1) / (2 * noise**2))
  moments = [special.logsumexp(log_q + order * log_ratio) + np.log(apart) for order in ORDERS]
  return min((steps * moment - math.log(delta)) / (order - 1) for order, moment in zip(ORDERS, moments))


# (noise, batch / images, steps) and ε at δ = 1e-5.  The first is section 3.2 of Abadi et al.; the others are
# the table of TensorFlow Privacy's tutorial on MNIST, by epochs of 60,000 // 256 steps.
EPOCH = 60_000 // 256
PUBLISHED = [
  ((4.0, 0.01, 10_000), 1.26),
  ((1.12, 256 / 60_000, 60 * EPOCH), 2.92),
  ((0.6, 256 / 60_000, 30 * EPOCH), 9.74),
  ((1.2, 256 / 60_000, 10 * EPOCH), 1.20),
]


@accounted
@pytest.mark.parametrize('setting, published', PUBLISHED)
def test_published_bounds_are_those_of_moments_and_ours_is_tighter(setting, published):
  """The published values are upper bounds by moments, so the exact composition lies below, but not far."""
  assert accountant(*setting, 1e-5) == pytest.approx(published, abs=0.011)
  ours = privacy.epsilon(*setting, 1e-5)
  assert 0.6 * published < ours < published


@accounted
@pytest.mark.parametrize('noise, rate', [(1.0, 1.0), (0.8, 0.3), (2.0, 0.05)])
def test_one_step_has_the_exact_epsilon(noise, rate):
  """Against the trade-off of the two hypotheses themselves: N(0, σ²) and (1 - q) N(0, σ²) + q N(1, σ²)."""
  delta = 1e-3
  epsilon = privacy.epsilon(noise, rate, 1, delta)

  def excess(epsilon):
    """max over events of P(event) - e^ε Q(event), P and Q either way round."""
    mixed = lambda t, tail: (1 - rate) * tail(t, 0, noise) + rate * tail(t, 1, noise)
    ratio = lambda value: noise**2 * math.log((value - 1 + rate) / rate) + 0.5  # where p / q is this
    at = ratio(math.exp(epsilon))
    added = mixed(at, stats.norm.sf) - math.exp(epsilon) * stats.norm.sf(at, 0, noise)
    if math.exp(-epsilon) <= 1 - rate:
      return added
    at = ratio(math.exp(-epsilon))
    removed = stats.norm.cdf(at, 0, noise) - math.exp(epsilon) * mixed(at, stats.norm.cdf)
    return max(added, removed)

  assert excess(epsilon) <= delta * 1.0001
  assert excess(epsilon - 1e-3) > delta  # no smaller one would do


@accounted
def test_epsilon_grows_with_steps_and_falls_with_noise():
  usual = privacy.epsilon(1.5, 0.05, 10, 1e-5)
  assert privacy.epsilon(1.5, 0.05, 20, 1e-5) > usual > privacy.epsilon(2.0, 0.05, 10, 1e-5)
  assert privacy.epsilon(0.0, 0.05, 200, 1e-5) == privacy.epsilon(1.0, 0.05, 200, 0.0) == math.inf


def test_what_is_spent_says_what_for(monkeypatch):
  asked = []
  monkeypatch.setattr(privacy, 'epsilon', lambda *what: asked.append(what) or 2.5)
  settings = {'clip': 0.1, 'noise': 1.0, 'delta': 1e-5}
  sample = {'stream': 'labeled', 'alone': True, 'n': 400, 'expected': 20, 'places': 60}
  told = privacy.spent(settings, sample, 100)
  overflow = 100 * sum(stats.binom.pmf(k, 400, 0.05) for k in range(60, 401))  # the others fill the places
  assert told['overflow'] == pytest.approx(overflow) and 0 < overflow < 1e-9
  assert asked == [(1.0, 0.05, 100, pytest.approx(1e-5 - overflow, abs=1e-20))]
  assert told['epsilon'] == 2.5 and told['delta'] == 1e-5 and told['clip'] == 0.1
  assert told['sampling_rate'] == 0.05 and told['steps'] == 100
  assert told['unit'] == 'one image of the labeled stream, added or removed'
  privacy.spent(settings, {**sample, 'places': 24}, 100)
  assert asked[-1][-1] == 0  # so few places leave no δ at all
  public = privacy.spent(settings, {**sample, 'alone': False}, 1)['unit']
  assert public.endswith('the unlabeled images being public')


def test_without_the_package_it_is_one_sentence(monkeypatch):
  monkeypatch.setattr(privacy, 'find_spec', lambda name: None)
  with pytest.raises(BadSetting, match=r"dp-accounting; pip install -e '.\[private\]'"):
    privacy.check_installed()


def test_the_attack_has_the_area_that_scikit_learn_computes():
  rng = np.random.default_rng(0)
  members, others = rng.exponential(1, 50), rng.exponential(1.5, 80)
  members[:5] = others[:5] = 0.25  # ties
  truth = [1] * 50 + [0] * 80
  expected = roc_auc_score(truth, -np.concatenate([members, others]))
  assert privacy.membership_auc(members, others) == pytest.approx(expected, abs=1e-12)
  assert privacy.membership_auc([0.1, 0.2], [0.3]) == 1 and privacy.membership_auc([1.0], [1.0]) == 0.5
