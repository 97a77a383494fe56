"""What training gave away: a bound that holds for any attacker, and what a simple attack finds."""

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from numpy.typing import ArrayLike

from ssl_bench.evaluation.ranks import probability_above
from ssl_bench.settings.signature import BadSetting

EXTRA = "pip install -e '.[private]'"


def membership_auc(members: ArrayLike, others: ArrayLike) -> float:
  """Area under the ROC curve of the attack that calls images with a small loss members of the training set.

  Yeom et al., "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting" (2018), whose
  adversary thresholds the loss, here at every threshold: the probability that a member [n] has a smaller loss
  than another image [m], ties counting half.  0.5 is a guess; 1 tells all members apart.
  """
  return probability_above(others, members)


def epsilon(noise: float, rate: float, steps: int, delta: float) -> float:
  """ε at `delta` of DP-SGD: `steps` Gaussian mechanisms on Poisson samples, composed exactly up to rounding.

  By privacy loss distributions (Koskela et al., 2020; Google's dp-accounting), for data sets that differ in
  one unit added or removed.  Infinite without noise, or without δ.

  Args:
    noise: standard deviation of the noise, in units of the clipped norm (σ).
    rate: probability of a unit to be in a step's sample, in (0, 1].
    steps: number of steps.
    delta: in [0, 1).

  Raises:
    BadSetting: where dp-accounting is not installed.
  """
  if noise == 0 or delta == 0:
    return math.inf
  check_installed()
  import dp_accounting
  from dp_accounting.pld import PLDAccountant

  accountant = PLDAccountant()
  step = dp_accounting.PoissonSampledDpEvent(rate, dp_accounting.GaussianDpEvent(noise))
  accountant.compose(step, steps)
  return float(accountant.get_epsilon(delta))


def check_installed() -> None:
  """Raises `BadSetting` where what `epsilon` needs is not there: before training, not after it."""
  if find_spec('dp_accounting') is None:
    raise BadSetting(f'A bound on privacy needs the package dp-accounting; {EXTRA}')


def spent(settings: Mapping[str, float], sample: Mapping[str, Any], steps: int) -> dict[str, Any]:
  """What a record says of private training.

  Args:
    settings: `clip`, `noise` and `delta`, for which ε is stated.
    sample: `stream`, the private one, of `n` images; `alone`, whether there is no other; how many of it are
      `expected` in a step, and the `places` for them.
    steps: how many were taken.

  δ includes the probability that in some step the other images alone fill the places.  Two data sets that
  differ in one image share that event, and without it no image is left out: so it is added to δ as it is,
  without the factor 1 + e^ε of a bound that only knows how likely it is.
  """
  from scipy import stats

  rate = sample['expected'] / sample['n']
  overflow = steps * float(stats.binom.sf(sample['places'] - 1, sample['n'], rate))
  public = '' if sample['alone'] else ', the unlabeled images being public'
  return {
    **settings,
    'epsilon': epsilon(settings['noise'], rate, steps, max(0.0, settings['delta'] - overflow)),
    'stream': sample['stream'],
    'unit': f'one image of the {sample["stream"]} stream, added or removed{public}',
    'sampling_rate': rate,
    'steps': steps,
    'overflow': overflow,
  }
