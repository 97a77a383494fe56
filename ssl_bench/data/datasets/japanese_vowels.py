"""`japanese_vowels`: nine speakers who say two vowels, in 12 coefficients; from the package aeon."""

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.series_files import ucr


def japanese_vowels() -> Dataset:
  """180 training, 90 validation (10 a class) and 370 test series of 7 to 29 points, 12 channels, 9 classes.

  Shorter series are padded at their end by 0, the mean.  Source: Kudo et al., Japanese Vowels, UCI 1999.

  Official parts, the validation part drawn from training by a hash; see `data.series_files.ucr`.
  """
  return ucr('japanese_vowels', 'JapaneseVowels')
