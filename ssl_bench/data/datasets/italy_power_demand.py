"""`italy_power_demand`: days of electrical power demand in Italy, winter or summer; from the package aeon."""

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.series_files import ucr


def italy_power_demand() -> Dataset:
  """47 training, 20 validation (10 a class) and 1,029 test series of 24 hours, one channel, two classes.

  Source: Keogh et al., Intelligent Icons, 2006.

  Official parts, the validation part drawn from training by a hash; see `data.series_files.ucr`.
  """
  return ucr('italy_power_demand', 'ItalyPowerDemand')
