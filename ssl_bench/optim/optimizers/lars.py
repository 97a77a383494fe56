"""SGD whose rate is scaled layer by layer, for large batches."""

from collections.abc import Callable
from typing import Annotated

import optax

from ssl_bench.optim.optimizers._shared import SHARE, Rate, kernels
from ssl_bench.settings.signature import POSITIVE


def lars(
  *,
  lr: Rate = 0.3,
  momentum: Annotated[float, SHARE] = 0.9,
  nesterov: bool = False,
  weight_decay: Rate = 1e-6,
  trust: Annotated[float, POSITIVE] = 1e-3,
  schedule: str = 'warmup_cosine(0.1)',
) -> Callable:
  """LARS (You et al., 2017) as in SimCLR's code: biases and normalization have neither decay nor trust.

  The rate is inside the momentum's buffer, where BYOL and MoCo v3 have it outside; the two differ while the
  rate changes.

  Args:
    lr: the rate at the top of the schedule.
    momentum: share of the old direction that is kept, applied after the trust ratio.
    nesterov: look ahead along the direction.
    weight_decay: added to the gradient of parameters with more than one axis.
    trust: η of the ratio η‖w‖ / ‖g‖.
    schedule: constant, linear(2/3), cosine(7/16), warmup_cosine(0.1) or exponential(0.9, 100), over the steps
      of the run; with frozen=0.01 among its values, nothing moves in that first part of it.
  """
  return lambda rate: optax.lars(
    rate,
    weight_decay,
    weight_decay_mask=kernels,
    trust_coefficient=trust,
    trust_ratio_mask=kernels,
    momentum=momentum,
    nesterov=nesterov,
  )
