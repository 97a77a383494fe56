"""Latency of single calls of the trained network, where `evaluate.latency` asks for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation.latency import BATCHES, QUANTILES
from ssl_bench.measures import ABSENT, Measure
from ssl_bench.settings import plural

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

SOURCE = 'Reddi et al. 2020 (MLPerf Inference), single stream'


def _of(batch: int, key: str) -> 'Callable[[Trained], Any]':
  return lambda t: getattr(t.latency[f'batch_{batch}'], key) if t.latency else ABSENT


def _of_batch(batch: int) -> tuple[Measure, ...]:
  images = plural.count(batch, 'image')
  path = ('cost', 'latency', f'batch_{batch}')
  return (
    *(
      Measure(
        f'latency_{batch}_{key}',
        (*path, key),
        f'latency {key}, {images}',
        _of(batch, key),
        unit='ms',
        hint=f'{key[1:]} % of calls with {images} take no longer, NumPy in and out, after warm-up',
        source=SOURCE,
        digits=2,
        table='cost',
        better='lower',
        range=(0, None),
        clock=True,
      )
      for key in QUANTILES
    ),
    Measure(
      f'latency_{batch}_calls',
      (*path, 'calls'),
      f'calls with {images}',
      _of(batch, 'calls'),
      hint='that were timed for the latency',
      digits=0,
      values='count',
      clock=True,
    ),
  )


MEASURES = (
  *(row for batch in BATCHES for row in _of_batch(batch)),
  Measure(
    'latency_other_cores',
    ('cost', 'latency', 'other_cores'),
    'other cores busy, latency',
    lambda t: t.latency.get('other_cores', ABSENT),
    hint='cores that other processes kept busy while calls were timed',
    digits=2,
    range=(0, None),
    clock=True,
  ),
)
