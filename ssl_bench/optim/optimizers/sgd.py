"""Stochastic gradient descent with momentum."""

from collections.abc import Callable
from typing import Annotated

import optax

from ssl_bench.optim.optimizers._shared import SHARE, Rate, kernels


def sgd(
  *,
  lr: Rate = 0.03,
  momentum: Annotated[float, SHARE] = 0.9,
  nesterov: bool = True,
  weight_decay: Rate = 5e-4,
  schedule: str = 'cosine(7/16)',
) -> Callable:
  """SGD with momentum; weight decay is added to the gradient, not of biases and normalization.

  Args:
    lr: the rate at the top of the schedule.
    momentum: share of the old direction that is kept.
    nesterov: look ahead along the direction.
    weight_decay: of parameters with more than one axis: no bias, no normalization.
    schedule: constant, linear(2/3), cosine(7/16), warmup_cosine(0.1) or exponential(0.9, 100), over the steps
      of the run; with frozen=0.01 among its values, nothing moves in that first part of it.
  """
  return lambda rate: optax.chain(
    optax.add_decayed_weights(weight_decay, mask=kernels),
    optax.sgd(rate, momentum, nesterov=nesterov),
  )
