"""BGRL: BYOL on the nodes of a graph, without a projector and without negatives."""

from typing import Annotated

from ssl_bench.contract import Method, View
from ssl_bench.methods._target import OnlineTarget, bootstrap
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT

VERSION = 1


def bgrl(
  encoder: net.Net,
  steps: float,
  *,
  ema_decay: Annotated[float, UNIT] = 0.99,
  hidden: Annotated[int, POSITIVE] = 512,
) -> Method:
  """Thakoor et al., "Large-Scale Representation Learning on Graphs via Bootstrapping" (2022).

  Objective (the loss ℓ(θ, φ) and its symmetric form): ‖q̂(h_a) − ĥ'_b‖² + ‖q̂(h_b) − ĥ'_a‖², the
  mean over nodes; hats are unit length, h' comes from the target network and is held constant.  The paper
  writes −2 cos for each square, which is the square less 2.  The first view is the policy `strong`, the
  second `other`, for the paper drops edges and masks features with other probabilities in each.

  Args:
    ema_decay: of the target at the start; at step t it is 1 − (1 − τ)(cos(πt/T) + 1)/2 (the authors' code:
      0.99).
    hidden: width of the predictor's hidden layer (the authors' code: 512).

  Evaluated: the online encoder's features of the whole graph, not the target's.
  Predictor: linear, PReLU, linear to the width of the features, with biases and without normalization
  (the authors' code).
  BatchNorm: every view has its own pass and its own moments, in the target too.
  Deviations: the authors' code has half of this loss; the target starts as a copy of the online network,
  where the code draws it anew; t counts the steps taken; linear layers start as a truncated normal.
  """
  predictor = heads.projector(hidden, None, norm='none', activation='prelu')
  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'other')}
  return bootstrap(OnlineTarget(encoder, None, predictor), views, steps, ema_decay, kinds=('graph',))
