"""What several optimizers share: ranges of their settings, and which parameters decay."""

from typing import Annotated

import jax

from ssl_bench.settings.signature import Range

Rate = Annotated[float, Range(0)]
SHARE = Range(0, 1, below=True)


def kernels(params):
  """True where a parameter has more than one axis."""
  return jax.tree.map(lambda p: p.ndim > 1, params)
