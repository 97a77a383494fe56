"""BYOL: predict a target network's projection of the other view; the target is a moving average."""

from typing import Annotated

from ssl_bench.contract import Method, View
from ssl_bench.methods._target import OnlineTarget, bootstrap
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT

VERSION = 1


def byol(
  encoder: net.Net,
  steps: float,
  *,
  ema_decay: Annotated[float, UNIT] = 0.99,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Grill et al., "Bootstrap Your Own Latent" (2020).

  Objective (eq. 2): ‖q̂(z_a) − ẑ'_b‖² + ‖q̂(z_b) − ẑ'_a‖², the mean over images; hats are unit length,
  z' comes from the target network and is held constant.  The two directions are summed, not averaged.

  Args:
    ema_decay: of the target at the start (τ_base); at step t it is 1 − (1 − τ_base)(cos(πt/T) + 1)/2
      (section 3.2 and appendix; 0.99 at 300 epochs, 0.996 at 1,000).
    hidden: width of the hidden layers of projector and predictor (4,096 in the paper).
    out: width of the projection (256 in the paper).

  Evaluated: the online encoder's features, not the target's (section 3.2).
  Heads: linear, BatchNorm, ReLU, linear without bias, as in the authors' code.
  BatchNorm: every view has its own pass and its own moments, as in the authors' code; the target
  keeps running moments of its own.
  Deviations: t counts the steps taken, so the target first moves with the decay of t = 1, where the authors'
  code counts from 0; the target starts as a copy of the online network (the authors' code draws it anew and
  notes that it makes no difference); the default widths are for small nets; both views come from one
  policy, where the paper blurs and solarizes the second differently (appendix B).
  """
  projector, predictor = (heads.projector(hidden, out, last_bias=False) for _ in range(2))
  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return bootstrap(OnlineTarget(encoder, projector, predictor), views, steps, ema_decay)
