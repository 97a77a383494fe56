"""`osu_leaf`: outlines of the leaves of six kinds of trees; from the package aeon."""

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.series_files import ucr


def osu_leaf() -> Dataset:
  """170 training, 30 validation (5 a class) and 242 test series of 427 points, one channel, six classes.

  Source: the thesis of A. Grandhi, as the file says.

  Official parts, the validation part drawn from training by a hash; see `data.series_files.ucr`.
  """
  return ucr('osu_leaf', 'OSULeaf')
