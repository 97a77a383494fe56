"""The kinds of things that are found by name, and where this package keeps its own of each."""

from typing import NamedTuple

from ssl_bench.settings.signature import BadSetting, short, suggest


class Kind(NamedTuple):
  """One kind of thing.

  noun: how a sentence names one.
  room: the folder of this package whose files hold its own, if there is one; folders in it sort them.
  row: the class of such things, where they are rows with a `name`; otherwise they are functions.
  returns: the annotation that marks such a function, where one file holds several; otherwise a file holds
    one, which has the file's name.
  table: `module:NAME` of a mapping whose keys are further names of this package.
  attribute: the one thing of a file, which has the file's name, where it is no function.
  parts: files of the room that hold none, beside those whose name begins with `_`.
  """

  noun: str
  room: str = ''
  row: str = ''
  returns: str = ''
  table: str = ''
  attribute: str = ''
  parts: tuple[str, ...] = ()


KINDS = {
  'methods': Kind('method', 'methods'),
  'combine': Kind('combinator', 'combine'),
  'nets': Kind('net', 'nets', parts=('core', 'heads')),
  'augment': Kind('augmentation', 'augment', returns='Operation'),
  'optimizers': Kind('optimizer', 'optim/optimizers'),
  'schedules': Kind('schedule', 'optim/schedules'),
  'probes': Kind('probe', table='ssl_bench.settings.sections:PROBES'),
  'measures': Kind('measure', 'measures', row='Measure'),
  'datasets': Kind('dataset', 'data/datasets', table='ssl_bench.data.sources:SOURCES'),
  'trackers': Kind('tracker', 'records/trackers'),
  'patterns': Kind('pattern', 'patterns', row='Pattern', attribute='PATTERN'),
}


def kind_of(kind: str) -> Kind:
  """The description of a kind; raises `BadSetting` for an unknown one."""
  if kind not in KINDS:
    raise BadSetting(f'There is no kind of plugin {short(kind)}; {suggest(kind, KINDS)}')
  return KINDS[kind]
