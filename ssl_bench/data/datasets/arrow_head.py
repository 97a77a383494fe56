"""`arrow_head`: outlines of arrowheads of three shapes; from the package aeon."""

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.series_files import ucr


def arrow_head() -> Dataset:
  """24 training, 12 validation (4 a class) and 175 test series of 251 points, one channel, three classes.

  Source: Ye and Keogh, 2009, as in the UCR archive.  Parts this small show little.

  Official parts, the validation part drawn from training by a hash; see `data.series_files.ucr`.
  """
  return ucr('arrow_head', 'ArrowHead')
