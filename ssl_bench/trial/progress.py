"""The progress of one training: drawn in place in a terminal, elsewhere a plain line every few seconds.

It shows what training logs in any case and asks for nothing, so no step waits for it.  All of it goes to the
standard error: the standard output is for results.
"""

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ssl_bench.trial.standing import Standing

EVERY = 5.0  # seconds between two plain lines at least
REDRAWN = 4  # times a second, in a terminal
WIDEST = 100  # columns of the bar


class Progress:
  """Use as a context; told what a training reports.

  What is drawn goes when the context ends.  Plain lines stay; one of them is of the last log.

  Args:
    title: the trial in a few words.
    standing: of its training.
    quiet: whether nothing is shown, as in the other processes of a gang.
  """

  def __init__(self, title: str, standing: Standing, *, quiet: bool = False):
    self.title, self.standing, self.quiet = title, standing, quiet
    self._console = Console(highlight=False, stderr=True)
    self._live: Live | None = None
    self._said, self._told = -EVERY, ''  # when, and what, the last plain line was
    self._started = time.monotonic()

  def __enter__(self) -> 'Progress':
    self._started = time.monotonic()
    if self._console.is_interactive and not self.quiet:
      self._live = Live(
        get_renderable=self._drawn,
        console=self._console,
        refresh_per_second=REDRAWN,
        transient=True,
      )
      self._live.start(refresh=True)
    return self

  def __exit__(self, *error: Any) -> None:
    if self._live:
      self._live.stop()
    elif self.standing.step and not self.quiet:
      self._say()

  def tell(self, step: int, values: Mapping[str, Any]) -> None:
    """Takes what `training.loop.fit` reports."""
    self.standing.tell(step, values)
    is_due = 'loss' in values and time.monotonic() - self._said >= EVERY
    if is_due and not self._live and not self.quiet:
      self._say()

  def _say(self) -> None:
    line = self.standing.line()
    if line == self._told:
      return
    self._said, self._told = time.monotonic(), line
    with suppress(OSError):  # a reader that went away, or a disk that is full, is no fault of the training's
      print(line, file=sys.stderr, flush=True)

  def _drawn(self) -> RenderableType:
    passed = time.monotonic() - self._started
    minutes, seconds = divmod(int(passed), 60)
    standing = self.standing
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True, style='dim')
    rows.add_column(overflow='fold')
    for name, said in {'time': f'{minutes}:{seconds:02}', **standing.rows()}.items():
      rows.add_row(name, Text(said))
    bar = Table.grid()
    bar.add_row(ProgressBar(max(1, standing.steps), standing.step, width=min(self._console.width, WIDEST)))
    place = f'{standing.place()}, evaluating' if standing.is_trained else standing.place()
    return Group(Text(self.title, style='bold'), bar, Text(place), rows)
