"""`wine`: 178 wines of three cultivars in 13 chemical measures; scikit-learn's copy."""

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.tables import drawn


def wine() -> Dataset:
  """103 training, 30 validation (10 a class) and 45 test rows (15 a class), 13 numbers each.

  The parts are drawn once, by a hash; the training part standardizes the numbers.  A set this small shows
  little: its 45 test rows tell accuracies 10 points apart at best.  Source: Aeberhard and Forina, Wine, UCI
  1991, as in `sklearn.datasets.load_wine`.
  """
  from sklearn.datasets import load_wine

  raw = load_wine()
  return drawn(
    'wine',
    list(raw.data.T),
    raw.target,
    validation=30,
    test=45,
    label_names=['cultivar 1', 'cultivar 2', 'cultivar 3'],
    version='1.0.0',
    license='CC BY 4.0',
  )
