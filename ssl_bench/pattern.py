"""Patterns of training: what varies how any method is trained, such as federated or private training.

A pattern is one file of `ssl_bench/patterns` with a `PATTERN`.  Its name is that of a section of the config;
nothing else in the project knows it.  A pattern says only where it differs from usual training.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ssl_bench import plugins
from ssl_bench.settings.sections import Section

if TYPE_CHECKING:
  from ssl_bench.config import Config
  from ssl_bench.contract import State
  from ssl_bench.measures import Measure
  from ssl_bench.planning import Plan
  from ssl_bench.planning.structure import Structure

Settings = Any  # an instance of the pattern's own section


class Loop(NamedTuple):
  """A compiled training loop, and what compiling it found."""

  init: Callable[..., Any]  # (seed, data, numbers) -> (state, totals)
  advance: Callable[..., Any] | None  # (state, totals, data, numbers) -> (state, totals), a dispatch further
  lowered: Any  # one step, whose operations are counted
  compiled: Any  # the program that takes the most memory
  learners: int = 1  # that take the lowered step at once
  facts: Mapping[str, int] = {}  # what the cost of a record should know
  has_pseudo_labels: bool = False  # whether the loss reports pseudo-labels that a reader can ask it for


def _nothing(*_: Any) -> Mapping[str, Any]:
  return {}


def _usual(*_: Any) -> None:
  return None


class Table(NamedTuple):
  """The board's table of a pattern's rows, each beside the same method without the pattern.

  `columns` are names of measures; one that repeats a setting of the section shows what was asked.
  """

  title: str  # 'Private training'
  columns: tuple[str, ...]


class Pattern(NamedTuple):
  """A pattern of training; every field but the first two may be left out.

  `Structure` is what is compiled of a trial, with this pattern's part in `structure.patterns[name].settings`;
  `Plan` is all that is known of a trial before it trains.
  """

  name: str  # of its section in a config
  settings: type[Section]
  structure: Callable[[Settings], Mapping[str, Any]] = _nothing  # what of its settings is compiled
  numbers: Callable[[Settings], Mapping[str, float]] = _nothing  # what is traced, as float32 scalars by name
  stride: Callable[[Settings], int | None] = _usual  # steps of one dispatch, where the pattern decides
  check_config: Callable[['Config'], None] = _usual  # raises BadSetting for what the config alone shows
  check: Callable[['Plan'], None] = _usual  # raises BadSetting for what the data show
  arrays: Callable[['Plan'], Mapping[str, Any]] = _nothing  # further arrays on the device, or others
  shapes: Callable[['Structure'], Mapping[str, Any]] = _nothing  # their shapes
  drawer: Callable[..., Callable] | None = None  # (structure, mesh) -> as `batch.drawer`
  estimator: Callable[..., Callable] | None = None  # (structure, numbers) -> in place of jax.value_and_grad
  loop: Callable[..., Loop] | None = None  # (structure, mesh) -> in place of one step after the other
  read: Callable[['State'], 'State'] | None = None  # the state as its method reads it
  describe: Callable[['Plan'], Mapping[str, Any]] = _nothing  # added to a record's `split`
  measure: Callable[..., Mapping[str, Any]] = _nothing  # (plan, fitted) -> values that its measures read
  measures: tuple['Measure', ...] = ()  # rows, whose functions are `measures.of_pattern(name, key)`
  table: Table | None = None  # on the board, beside the ranking
  by_image: bool = False  # whether the loss is taken of single images, however large the batch is


def names() -> list[str]:
  """All patterns, sorted."""
  return plugins.names('patterns')


def get(name: str) -> Pattern:
  """A pattern by its name; raises `BadSetting` where there is none."""
  return plugins.get('patterns', name)
