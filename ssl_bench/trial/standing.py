"""How a training stands: the step that it is at, what it logged last, how fast it goes, in words."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ssl_bench.settings.duration import duration
from ssl_bench.trial.journal import LOOKS

WINDOW = 8  # logs over which the time left is taken
ELSEWHERE = ('step', 'loss', 'pseudo/precision', 'pseudo/coverage')  # of a log's columns, not among the signs
HELD_OUT = {
  'validation_accuracy': 'accuracy',
  'knn': 'kNN accuracy',
  'pretext_loss': 'loss',
  'rankme': 'RankMe',
}


class Standing:
  """What is known of a training; told what it reports.

  Args:
    steps: that it takes; 0 where that is not known.
    images: that one step looks at; 0 where that is not known.
    clock: seconds, of which differences matter.
  """

  def __init__(self, steps: int, images: int = 0, clock: Callable[[], float] = time.monotonic):
    self.steps, self.images, self.clock = steps, images, clock
    self.step = 0
    self.teacher = 0  # the step of its teacher's training, while that goes on
    self.logged: Mapping[str, Any] = {}  # the last row of its log
    self.noted: Mapping[str, Any] = {}  # at the last look at held-out images, with its step
    self.images_per_second: float | None = None  # between the last log and the report before it
    self._mark: tuple[int, float] | None = None  # step and time of the last report
    self._logs: deque[tuple[int, float]] = deque(maxlen=WINDOW)

  def tell(self, step: int, values: Mapping[str, Any]) -> None:
    """Takes what `training.loop.fit` reports; step 0 is that of a teacher."""
    now = self.clock()
    if not step:
      self.teacher, self.logged = values.get('step', self.teacher), values if 'loss' in values else {}
      return
    if self.teacher:
      self.teacher, self.logged = 0, {}
    self.step = step
    looks = {name.removeprefix(LOOKS): value for name, value in values.items() if name.startswith(LOOKS)}
    if looks:
      self.noted = {'step': step, **looks}
    elif values:
      self.logged = values
      self._logs.append((step, now))
      if self._mark and step > self._mark[0]:  # nothing but training lies between
        self.images_per_second = self.images * (step - self._mark[0]) / max(1e-9, now - self._mark[1])
    self._mark = step, now

  @property
  def is_begun(self) -> bool:
    """Whether anything was reported of it, or of its teacher."""
    return bool(self.step or self.teacher)

  @property
  def seconds_left(self) -> float | None:
    """Until the last step, at the pace of the last logs, with looks and saves; None where none is known."""
    if len(self._logs) < 2 or self.step >= self.steps:
      return None
    (first, began), (last, ended) = self._logs[0], self._logs[-1]
    each = (ended - began) / (last - first)
    return max(0.0, each * (self.steps - last) - (self.clock() - ended))

  def place(self) -> str:
    """`'step 400 of 1,500, about 12 s left'`."""
    if self.teacher:
      return f'its teacher at step {self.teacher:,}'
    if not self.step:
      return 'no step logged yet'
    if not self.steps:
      return f'step {self.step:,}'
    left = '' if self.seconds_left is None else f', about {duration(self.seconds_left)} left'
    return f'step {self.step:,} of {self.steps:,}{left}'

  @property
  def is_trained(self) -> bool:
    """Whether the last step was reported."""
    return 0 < self.steps <= self.step

  def speed(self) -> str:
    """`'5,120 images/s'`; '' where it is not known."""
    return f'{self.images_per_second:,.0f} images/s' if self.images and self.images_per_second else ''

  def loss(self) -> str:
    """`'0.412 (supervised 0.1, unsupervised 0.312)'`."""
    numbers = self._numbers()
    if 'loss' not in numbers:
      return ''
    terms = {name.removeprefix('loss/'): value for name, value in numbers.items() if name.startswith('loss/')}
    inside = ', '.join(f'{name} {value:.3g}' for name, value in terms.items())
    return f'{numbers["loss"]:.4g}' + (f' ({inside})' if inside else '')

  def signs(self) -> str:
    """Whatever else a method logs: `'grad norm 0.29, agreement 0.98'`."""
    rest = [(k, v) for k, v in self._numbers().items() if k not in ELSEWHERE and not k.startswith('loss/')]
    return ', '.join(f'{name.replace("_", " ")} {value:.3g}' for name, value in rest)

  def pseudo_labels(self) -> str:
    """`'precision 97.1 %, coverage 81.2 %'`; precision is of those that were kept, where there are any."""
    numbers = self._numbers()
    parts = [(name, numbers.get(f'pseudo/{name}')) for name in ('precision', 'coverage')]
    return ', '.join(f'{name} {_percent(value)}' for name, value in parts if value is not None)

  def held_out(self) -> str:
    """`'accuracy 91.2 % at step 375'`, on validation images alone; what a test image says is not shown."""
    noted = self.noted
    shown = [
      f'{said} {_percent(value) if "accuracy" in said else f"{value:.4g}"}'
      for name, said in HELD_OUT.items()
      if (value := noted.get(name)) is not None
    ]
    return f'{", ".join(shown)} at step {noted["step"]:,}' if shown else ''

  def rows(self) -> dict[str, str]:
    """What there is to say, by subject."""
    found = {
      'speed': self.speed(),
      'loss': self.loss(),
      'signs': self.signs(),
      'pseudo-labels': self.pseudo_labels(),
      'validation': self.held_out(),
    }
    return {name: said for name, said in found.items() if said}

  def line(self) -> str:
    """All of it but the further signs, in one line."""
    said = {name: words for name, words in self.rows().items() if name != 'signs'}
    parts = [words if name == 'speed' else f'{name} {words}' for name, words in said.items()]
    return '; '.join([self.place(), *parts])

  def brief(self) -> str:
    """What fits beside others: step, loss without its terms, validation, pseudo-labels."""
    said = {
      'loss': self.loss().partition(' ')[0],
      'validation': self.held_out().partition(' at step')[0],
      'pseudo-labels': self.pseudo_labels(),
    }
    return '; '.join([self.place(), *(f'{name} {words}' for name, words in said.items() if words)])

  def _numbers(self) -> dict[str, float]:
    return {name: value for name, value in self.logged.items() if isinstance(value, int | float)}


def _percent(share: float) -> str:
  return f'{100 * share:.1f} %'
