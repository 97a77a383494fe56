"""Latency: how long a user waits for the predictions of a few images, call after call."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ssl_bench.training.machine_load import OtherLoad

if TYPE_CHECKING:
  from ssl_bench.evaluation.network import Images, TrainedNetwork

BATCHES = (1, 64)  # images in a call
QUANTILES = {'p50': 0.5, 'p95': 0.95, 'p99': 0.99}
WARM_UP = 5  # calls that are not timed: they compile, and fill caches
CALLS = 500
SECONDS = 20.0  # after which no further call is made, where `FEWEST` were
FEWEST = 20
FOR_P99 = 100  # calls below which the slowest of a hundred is not known


class Latency(NamedTuple):
  """Milliseconds of a call; `p99` is None below 100 calls."""

  calls: int
  p50: float
  p95: float
  p99: float | None


def measure(
  network: 'TrainedNetwork', go_on: Callable[[], None] = lambda: None
) -> dict[str, float | Latency]:
  """The latency of a trained network by batch, `batch_1` and `batch_64`, and `other_cores` meanwhile.

  One caller asks for the logits of the next test images, or for their features where the method has no
  classifier, as soon as it has the last ones: the single stream of MLPerf Inference (Reddi et al. 2020).  A
  call begins with a NumPy array as the data set stores it and ends with one; cutting it out is not timed.

  Args:
    network: a trained one.
    go_on: called before every call; it may raise.
  """
  others = OtherLoad()
  images = network.plan.dataset.test_images
  found: dict[str, float | Latency] = {f'batch_{n}': _of_batch(network, images, n, go_on) for n in BATCHES}
  return {**found, 'other_cores': others.cores()}


def _of_batch(network: 'TrainedNetwork', images: 'Images', size: int, go_on: Callable[[], None]) -> Latency:
  ask = network.logits if network.has_classifier else network.features
  batches = [images[(size * k + np.arange(size)) % len(images)] for k in range(FEWEST)]
  for batch in batches[:WARM_UP]:
    ask(batch)
  seconds: list[float] = []
  end = time.perf_counter() + SECONDS
  while len(seconds) < CALLS and (len(seconds) < FEWEST or time.perf_counter() < end):
    go_on()
    batch = batches[len(seconds) % FEWEST]
    started = time.perf_counter()
    ask(batch)
    seconds.append(time.perf_counter() - started)
  return of_calls(seconds)


def of_calls(seconds: list[float]) -> Latency:
  """Quantiles in milliseconds, linear between two calls.

  Example:
    >>> of_calls([0.001, 0.002, 0.003]).p50
    2.0
  """
  p50, p95, p99 = (1000 * float(np.quantile(seconds, q)) for q in QUANTILES.values())
  return Latency(len(seconds), p50, p95, p99 if len(seconds) >= FOR_P99 else None)
