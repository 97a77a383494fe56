"""`gun_point`: the height of a hand that draws a gun or points; from the package aeon."""

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.series_files import ucr


def gun_point() -> Dataset:
  """34 training, 16 validation (8 a class) and 150 test series of 150 points, one channel, two classes.

  Source: Ratanamahatana and Keogh, 2005, as in the UCR archive.  Parts this small show little.

  Official parts, the validation part drawn from training by a hash; see `data.series_files.ucr`.
  """
  return ucr('gun_point', 'GunPoint')
