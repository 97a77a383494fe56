"""Adam with decoupled weight decay."""

from collections.abc import Callable
from typing import Annotated

import optax

from ssl_bench.optim.optimizers._shared import SHARE, Rate, kernels
from ssl_bench.settings.signature import POSITIVE


def adamw(
  *,
  lr: Rate = 1e-3,
  b1: Annotated[float, SHARE] = 0.9,
  b2: Annotated[float, SHARE] = 0.999,
  eps: Annotated[float, POSITIVE] = 1e-8,
  weight_decay: Rate = 0.05,
  schedule: str = 'warmup_cosine(0.1)',
) -> Callable:
  """AdamW (Loshchilov and Hutter, 2019); decoupled weight decay, not of biases and normalization.

  Args:
    lr: the rate at the top of the schedule.
    b1: decay of the mean of gradients.
    b2: decay of the mean of squared gradients.
    eps: added to the root.
    weight_decay: of parameters with more than one axis; multiplied by the rate.
    schedule: constant, linear(2/3), cosine(7/16), warmup_cosine(0.1) or exponential(0.9, 100), over the steps
      of the run; with frozen=0.01 among its values, nothing moves in that first part of it.
  """
  return lambda rate: optax.adamw(rate, b1, b2, eps, weight_decay=weight_decay, mask=kernels)
