"""The status of a sweep as text, once or again and again."""

import sys
import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ssl_bench.grid.status import Status, status
from ssl_bench.settings import plural
from ssl_bench.settings.duration import duration

EVERY = 3.0  # seconds between two looks of `--watch`
SHOWN = 20  # trials of a kind that are named


def told(found: Status) -> str:
  """A status in a few lines."""
  total = found.counts.total()
  order = ('done', 'diverged', 'failed', 'refused', 'lost', 'running', 'silent', 'to do')
  counts = ', '.join(f'{found.counts[word]:,} {word}' for word in order if found.counts[word])
  left = f'; about {duration(found.seconds)} left' if found.seconds else ''
  lines = [f'{found.name}: {plural.count(total, "trial")}: {counts or "none is left to do"}{left}']
  for title, rows in (('Running', found.running), ('No sign of life', found.silent)):
    lines += [f'{title}:'] if rows else []
    for row in rows[:SHOWN]:
      silent = f', silent for {duration(row.silent)}' if title != 'Running' else ''
      lines.append(f'  {row.label}: step {row.step:,} of {row.steps:,}, {row.who} since {row.since}{silent}')
    lines += _more(rows)
  lines += ['Saved, and left to go on:'] if found.saved else []
  lines += [f'  {row.label}: at step {row.step:,} of {row.steps:,}' for row in found.saved[:SHOWN]]
  lines += _more(found.saved)
  lines += ['Not well:'] if found.bad else []
  lines += [f'  {name}: {why}' for name, why in found.bad[:SHOWN]] + _more(found.bad)
  return '\n'.join(lines)


def _more(rows: list[Any]) -> list[str]:
  return [f'  and {len(rows) - SHOWN:,} more'] if len(rows) > SHOWN else []


def show(folder: Path, terms: Iterable[str], *, watch: bool) -> None:
  """Prints a status, once or, with `watch`, again and again until Ctrl-C ends the command."""
  terms, console = list(terms), Console(highlight=False, soft_wrap=True)
  with Live(console=console, auto_refresh=False) if watch and console.is_terminal else nullcontext() as live:
    while True:
      text = Text(told(status(folder, terms)))
      if live:
        live.update(text, refresh=True)
      else:
        console.print(text)
        sys.stdout.flush()
      if not watch:
        return
      time.sleep(EVERY)
