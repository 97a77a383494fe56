"""`breast_cancer`: 569 tumors in 30 measures, malignant or benign; scikit-learn's copy."""

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.tables import drawn


def breast_cancer() -> Dataset:
  """409 training, 60 validation (30 a class) and 100 test rows (50 a class), 30 numbers each.

  The parts are drawn once, by a hash; the training part standardizes the numbers.  Source: Wolberg et al.,
  Breast Cancer Wisconsin (Diagnostic), UCI 1995, as in `sklearn.datasets.load_breast_cancer`.
  """
  from sklearn.datasets import load_breast_cancer

  raw = load_breast_cancer()
  return drawn(
    'breast_cancer',
    list(raw.data.T),
    raw.target,
    validation=60,
    test=100,
    label_names=[str(name) for name in raw.target_names],
    version='1.0.0',
    license='CC BY 4.0',
  )
