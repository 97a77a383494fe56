"""One display of how far a grid is: a bar, a line a worker, and one that stays for a trial that ends."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from ssl_bench.trial.standing import Standing


class Progress:
  """Use as a context; told what the workers say."""

  def __init__(self, name: str, trials: int, before: int, steps: int):
    self.trials, self.before, self.done, self.steps = trials, before, before, steps
    self.trained = 0
    self.started = time.monotonic()
    self.rows: dict[int, _Row] = {}
    self.console = Console(highlight=False, soft_wrap=True)
    columns = (TextColumn('{task.description}'), BarColumn(None), TextColumn('{task.fields[tail]}'))
    self.bars = _Bars(self.rows, *columns, console=self.console, transient=True)
    self.total = self.bars.add_task(name, total=max(1, steps), tail='')

  def __enter__(self) -> 'Progress':
    if self.console.is_terminal:
      self.bars.start()
    return self

  def __exit__(self, *error: Any) -> None:
    if self.console.is_terminal:
      self.bars.stop()

  def begin(self, worker: int, label: str) -> None:
    self.rows[worker] = _Row(label)
    self._show()

  def advance(self, worker: int, steps: int, step: int = 0, values: Mapping[str, Any] | None = None) -> None:
    """A worker took some steps; its trial is at `step` and reported `values`."""
    self.trained += steps
    if (row := self.rows.get(worker)) and values is not None:
      row.standing.tell(step, values)
    self._show()

  def end(self, worker: int, label: str, record: dict[str, Any]) -> None:
    self.done += 1
    count = f'[{self.done:>{len(str(self.trials))}}/{self.trials}]'
    self.console.print(f'{count} {label}: {outcome(record)}{self._left()}', markup=False)
    self.rows.pop(worker, None)
    self._show()

  def lose(self, worker: int, label: str | None, code: int, why: str = '') -> None:
    told = f'{label or "A worker"}: its process ended with code {code}{why}'
    self.console.print(f'{told}; another one takes it up.' if label else f'{told}.', markup=False)
    self.rows.pop(worker, None)
    self._show()

  def tell_overhead(self, alive: float, busy: float) -> None:
    """Says what workers took beside trials, of the seconds that they lived until their last trial ended."""
    if busy:
      self.console.print(f'Overhead: {1 - busy / alive:.1%} of {alive:.0f} s of the workers (start, claims).')

  def _left(self) -> str:
    """The time left, from the steps or trials done so far: those of a saved training are not taken again."""
    steps = self.trained / max(1, self.steps)
    trials = (self.done - self.before) / max(1, self.trials - self.before)
    if not 0 < (share := max(steps, trials)) < 1:
      return ''
    seconds = (time.monotonic() - self.started) * (1 - share) / share
    return f' (about {seconds / 60:.0f} min left)' if seconds >= 90 else f' (about {seconds:.0f} s left)'

  def _show(self) -> None:
    self.bars.update(
      self.total, completed=self.trained, tail=f'{self.done}/{self.trials} trials{self._left()}'
    )


def outcome(record: dict[str, Any]) -> str:
  """How a trial ended, in a few words, of {status, error, accuracy} and the part that the accuracy is on."""
  if record['status'] != 'done':
    return f'{record["status"]}: {record["error"]}'
  on = 'validation accuracy' if record.get('part') == 'validation' else 'accuracy'
  return 'done' if record['accuracy'] is None else f'{on} {record["accuracy"]:.3f}'


class _Row:
  """What a worker is at."""

  def __init__(self, label: str):
    self.label, self.standing = label, Standing(0)

  def __str__(self) -> str:
    return f'{self.label}: {self.standing.brief()}' if self.standing.is_begun else self.label


class _Bars(Bars):
  """The bar, and below it a line for each worker, cut where the terminal ends."""

  def __init__(self, rows: Mapping[int, _Row], *columns: Any, **options: Any):
    self.of_workers = rows
    super().__init__(*columns, **options)

  def get_renderables(self) -> Iterable[RenderableType]:
    yield from super().get_renderables()
    for row in list(self.of_workers.values()):
      yield Text(str(row), no_wrap=True, overflow='ellipsis')
