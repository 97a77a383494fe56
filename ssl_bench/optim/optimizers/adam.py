"""Adam, with weight decay as a part of the gradient."""

from collections.abc import Callable
from typing import Annotated

import optax

from ssl_bench.optim.optimizers._shared import SHARE, Rate, kernels
from ssl_bench.settings.signature import POSITIVE


def adam(
  *,
  lr: Rate = 1e-3,
  b1: Annotated[float, SHARE] = 0.9,
  b2: Annotated[float, SHARE] = 0.999,
  eps: Annotated[float, POSITIVE] = 1e-8,
  weight_decay: Rate = 0.0,
  schedule: str = 'constant',
) -> Callable:
  """Adam (Kingma and Ba, 2015); weight decay is added to the gradient, not of biases and normalization.

  This is what PyTorch's Adam and an L2 penalty in the loss do; `adamw` decays apart from the gradient.

  Args:
    lr: the rate at the top of the schedule.
    b1: decay of the mean of gradients.
    b2: decay of the mean of squared gradients.
    eps: added to the root.
    weight_decay: of parameters with more than one axis: no bias, no normalization.
    schedule: constant, cosine(7/16) or warmup_cosine(0.1), over the steps of the run; with frozen=0.01
      among its values, nothing moves in that first part of it.
  """
  return lambda rate: optax.chain(
    optax.add_decayed_weights(weight_decay, mask=kernels), optax.adam(rate, b1, b2, eps)
  )
