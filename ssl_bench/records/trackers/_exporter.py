"""What Prometheus reads: the numbers of trials that run, and how many trials are in which state."""

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psutil
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ssl_bench.records.strict_json import unsaid
from ssl_bench.records.trackers import Row, Run
from ssl_bench.training import device_load

STATES = ('to do', 'running', 'done', 'failed', 'diverged')
TRIAL = ('grid', 'id', 'trial')  # the labels of a trial's numbers
GAUGES = {
  'steps': 'Steps that the trial trains.',
  'step': 'Last step that was logged.',
  'loss': 'Mean loss since the log before.',
  'gradient_norm': 'Mean norm of the gradient since the log before.',
  'images_per_second': 'Images per second between the last two logs.',
  'last_sign_timestamp_seconds': 'When the trial last logged something, or began.',
}
CURVE = {'loss': 'loss', 'grad_norm': 'gradient_norm'}  # names of a curve -> those above
FRESH = 5.0  # seconds for which the utilization of devices is not asked again


class _Shown:
  """The numbers of a trial."""

  def __init__(self, run: Run):
    config = run.known['config']
    self.labels = (run.known['grid'] or 'train', run.id, run.label)
    self.gauges: dict[str, float] = {'steps': config['steps'], 'last_sign_timestamp_seconds': time.time()}
    self.evaluations: dict[str, float] = {}
    self.memory: Mapping[str, Any] | None = None
    self.last: tuple[int, float] | None = None  # step and time of the last log of a curve


class Exporter:
  """Follows trials, and answers Prometheus in a thread."""

  def __init__(self, host: str, port: int):
    self.trials: dict[str, _Shown] = {}
    self.states: Mapping[str, int] = {}
    self.steps = self.images = 0
    self.began = time.time()
    self.counted: dict[str, int] = {}  # the last step that was counted, by id
    self.lock = threading.Lock()
    self.registry = CollectorRegistry()
    self.registry.register(self)  # type: ignore[arg-type]
    self._utilization: tuple[float, dict[str, float]] = (-FRESH, {})
    self.server, _ = start_http_server(port, host, self.registry)

  def start(self, run: Run) -> None:
    with self.lock:
      self.trials[run.id] = _Shown(run)

  def log(self, run: Run, row: Row) -> None:
    with self.lock:
      shown = self.trials[run.id]
      shown.gauges['last_sign_timestamp_seconds'] = row.at
      shown.memory = row.memory
      numbers = {k: unsaid(v) for k, v in row.values.items() if isinstance(v, int | float)}
      if row.part == 'evaluations':
        shown.evaluations = numbers
      elif row.step:
        self._pace(shown, row)
        shown.gauges |= {CURVE[k]: v for k, v in numbers.items() if k in CURVE} | {'step': row.step}

  def _pace(self, shown: _Shown, row: Row) -> None:
    if shown.last and row.step > shown.last[0] and row.at > shown.last[1]:
      steps = row.step - shown.last[0]
      shown.gauges['images_per_second'] = steps * row.images / (row.at - shown.last[1])
      if row.at >= self.began:  # a trial that goes on tells its rows of before once more
        before = self.counted.get(shown.labels[1], 0)
        new = max(0, row.step - max(before, shown.last[0]))
        self.steps += new
        self.images += new * row.images
        self.counted[shown.labels[1]] = max(before, row.step)
    shown.last = (row.step, row.at)

  def end(self, run: Run, record: Mapping[str, Any] | None) -> None:
    with self.lock:
      self.trials.pop(run.id, None)

  def count(self, trials: Mapping[str, int]) -> None:
    with self.lock:
      self.states = trials

  def close(self) -> None:
    self.server.shutdown()

  def collect(self) -> Iterator[Metric]:
    """The numbers, as Prometheus's client asks for them at each scrape."""
    utilization = self._devices()
    with self.lock:
      trials = GaugeMetricFamily('ssl_bench_trials', 'Trials of the run folder by state.', labels=['state'])
      for state in dict.fromkeys((*STATES, *self.states)):
        trials.add_metric([state], self.states.get(state, 0))
      yield trials
      yield CounterMetricFamily('ssl_bench_trained_steps', 'Steps since this began.', value=self.steps)
      yield CounterMetricFamily('ssl_bench_trained_images', 'Images since this began.', value=self.images)
      shown = list(self.trials.values())
      for name, text in GAUGES.items():
        family = GaugeMetricFamily(f'ssl_bench_{name}', text, labels=TRIAL)
        for one in shown:
          if name in one.gauges:
            family.add_metric(one.labels, one.gauges[name])
        yield family
      looks = GaugeMetricFamily(
        'ssl_bench_evaluation', 'Last look at held-out images.', labels=[*TRIAL, 'name']
      )
      memory = {
        'bytes': 'Memory of the device in use; on the CPU, of the process.',
        'limit': 'Memory of the device, or of the machine.',
      }
      families = {
        key: GaugeMetricFamily(f'ssl_bench_device_memory_{key}', text, labels=[*TRIAL, 'device'])
        for key, text in memory.items()
      }
      for one in shown:
        for name, value in one.evaluations.items():
          looks.add_metric([*one.labels, name], value)
        for key, family in families.items():
          if one.memory:
            family.add_metric([*one.labels, one.memory['device']], one.memory[key])
      yield looks
      yield from families.values()
    family = GaugeMetricFamily(
      'ssl_bench_device_utilization_ratio', 'How busy a device is.', labels=['device']
    )
    for device, value in utilization.items():
      family.add_metric([device], value)
    yield family

  def _devices(self) -> dict[str, float]:
    """How busy the processors and, where NVIDIA's driver tells, the GPUs of this machine are, 0 to 1."""
    if time.monotonic() - self._utilization[0] < FRESH:
      return self._utilization[1]
    found = {'cpu': psutil.cpu_percent() / 100}
    found |= {f'cuda:{index}': busy for index, busy in device_load.gpus().items()}
    self._utilization = (time.monotonic(), found)
    return found
