"""`segment`: 2,310 regions of outdoor photographs in 18 measures, 7 classes; from the package river."""

import csv
import io
import zipfile

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.extras import FACTS, folder_of
from ssl_bench.data.tables import drawn

TARGET = 'category'


def segment() -> Dataset:
  """1,260 training, 350 validation (50 a class) and 700 test rows (100 a class), 18 numbers each.

  The parts are drawn once, by a hash; the training part standardizes the numbers.  Source: Statlog (Image
  Segmentation), UCI 1990, the file inside river (`pip install 'ssl_bench[table]'`), which has left out the
  constant column of the 19 and mixed the rows.
  """
  facts = FACTS['segment']
  with zipfile.ZipFile(folder_of('segment') / 'segment.csv.zip') as archive:
    text = archive.read(archive.namelist()[0]).decode()
  rows = list(csv.DictReader(io.StringIO(text)))
  names = sorted({row[TARGET] for row in rows})
  return drawn(
    'segment',
    [np.array([float(row[column]) for row in rows]) for column in rows[0] if column != TARGET],
    np.array([names.index(row[TARGET]) for row in rows]),
    validation=facts.validation,
    test=facts.test,
    label_names=names,
    version=facts.version,
    license=facts.license,
  )
