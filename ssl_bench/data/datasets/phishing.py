"""`phishing`: 1,250 web pages in 9 columns of categories, two classes; from the package river."""

import csv
import gzip

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.extras import FACTS, folder_of
from ssl_bench.data.tables import drawn

TARGET = 'is_phishing'


def phishing() -> Dataset:
  """850 training, 100 validation (50 a class) and 300 test rows (150 a class), 9 columns of categories.

  The parts are drawn once, by a hash.  The levels 0, 0.5 and 1 of the file are read as categories; the
  classes are those of its column is_phishing.  Source: Abdelhamid et al., Website Phishing, UCI 2016, the
  file inside river (`pip install 'ssl_bench[table]'`).
  """
  facts = FACTS['phishing']
  with gzip.open(folder_of('phishing') / 'phishing.csv.gz', 'rt', encoding='utf-8', newline='') as file:
    rows = list(csv.DictReader(file))
  return drawn(
    'phishing',
    [np.array([row[column] for row in rows]) for column in rows[0] if column != TARGET],
    np.array([int(row[TARGET]) for row in rows]),
    validation=facts.validation,
    test=facts.test,
    label_names=['0', '1'],
    version=facts.version,
    license=facts.license,
  )
