"""Datasets: load, prepare and check them, choose the labeled images, and hash the split.

`ssl_bench.data.stream` is imported by itself, since it alone needs jax.
"""

from ssl_bench.data.added import is_added_version
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.catalog import Row, available, check_here, check_name, load
from ssl_bench.data.check import check
from ssl_bench.data.checking.before import check_before
from ssl_bench.data.configs import check_configs
from ssl_bench.data.preparation import prepare
from ssl_bench.data.split import labeled_indices, labeled_order, split_hash

__all__ = [
  'Dataset',
  'Row',
  'available',
  'check',
  'check_before',
  'check_configs',
  'check_here',
  'check_name',
  'is_added_version',
  'labeled_indices',
  'labeled_order',
  'load',
  'prepare',
  'split_hash',
]
