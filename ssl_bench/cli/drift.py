"""`ssl-bench drift`: whether two sets differ, or what became of an encoder's features."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ssl_bench.settings.signature import BadSetting, short, suggest

if TYPE_CHECKING:
  import numpy as np

PARTS = ('train', 'validation', 'test')
FILES = ('.npy', '.npz')
RECORD = '.json'
Of = Literal['features', 'predictions']


def drift(
  reference: Annotated[
    str, typer.Argument(help='A set: digits:train, of a data set, or a file such as old.npz; or a record.')
  ],
  other: Annotated[str, typer.Argument(help='The set, or the record, that is compared with it.')],
  through: Annotated[
    Path | None, typer.Option(help='A record; its network looks at both sets, which are inputs.')
  ] = None,
  of: Annotated[Of, typer.Option(help='What of the network is compared, with --through.')] = 'features',
  alpha: Annotated[
    float, typer.Option(help='The allowed rate of false alarms, of all tests together.')
  ] = 0.05,
  permutations: Annotated[
    int, typer.Option(min=19, max=1_000_000, help='Of the p-values of MMD and energy distance.')
  ] = 999,
  rows: Annotated[
    int, typer.Option(min=20, max=10_000, help='Rows of each set that MMD and energy distance compare.')
  ] = 1_000,
  seed: Annotated[int, typer.Option(min=0, help='Of what is drawn.')] = 0,
  margin: Annotated[
    float,
    typer.Option(min=0, max=1, help='Of two records: the accuracy that an old head may lose and still stay.'),
  ] = 0.01,
  to: Annotated[Path | None, typer.Option('--json', help='Write the numbers to this file too.')] = None,
) -> None:
  """Test whether two sets differ, or whether a head may stay on a new encoder; exit code 1 for a change."""
  if Path(reference).suffix == Path(other).suffix == RECORD:
    if through:
      raise BadSetting('Two records are compared on the images of their own set; leave --through out.')
    from ssl_bench.cli.encoders import compare_encoders

    values = compare_encoders(Path(reference), Path(other), margin)
    _end(values, to, values['head']['verdict'] != 'keep')
  from ssl_bench.evaluation.drift import drift as compare

  look = _look(through, of)
  found = compare(
    look(read_set(reference)),
    look(read_set(other)),
    alpha=alpha,
    permutations=permutations,
    rows=rows,
    seed=seed,
  )
  values = {
    'tests': {name: one._asdict() for name, one in found.tests.items()},
    'alarm': found.alarm,
    'alpha': found.alpha,
    'psi': {'largest': float(found.psi.max()), 'by_chance': found.psi_by_chance},
    'rows': list(found.rows),
  }
  what = 'inputs' if through is None else f'{of} of {through.name}'
  print(f'{reference} ({found.rows[0]:,} rows) against {other} ({found.rows[1]:,} rows): {what}\n')
  _say_tests(values)
  verdict = 'The sets differ' if found.alarm else 'No drift is found'
  print(f'\n{verdict}, at {alpha:g} over the {len(found.tests)} tests (Bonferroni).')
  _end(values, to, found.alarm)


def _say_tests(values: dict[str, Any]) -> None:
  from ssl_bench.evaluation.drift import TESTS

  print(f'{"":44}{"statistic":>12}{"p":>10}')
  for name, what in TESTS.items():
    one = values['tests'][name]
    print(f'{what:44}{one["statistic"]:12.4f}{one["p"]:10.4f}')
  index = values['psi']
  print(f'{"population stability index, largest":44}{index["largest"]:12.4f}')
  print(f'{"  about, of a feature that did not drift":44}{index["by_chance"]:12.4f}')


def _end(values: dict[str, Any], to: Path | None, alarm: bool) -> None:
  if to:
    to.write_text(json.dumps(values, indent=2, allow_nan=False) + '\n', encoding='utf-8')
  sys.exit(1 if alarm else 0)


def read_set(text: str) -> 'np.ndarray':
  """The array of a set: a part of a data set, `digits:test`, or a file, `old.npy`, `old.npz:images`."""
  name, _, part = text.partition(':')
  if Path(name).suffix in FILES:
    return _read_file(Path(name), part)
  name, _, part = text.rpartition(':')
  if Path(text).suffix == RECORD:
    raise BadSetting(
      f'{short(text)} is a record: compare it with another record, or name it with --through to look at sets.'
    )
  if part not in PARTS or not name:
    raise BadSetting(
      f'{short(text)} is no set; write a part of a data set, such as digits:test, or a file such as old.npz.'
    )
  from ssl_bench import data

  found = data.load(name)
  if found.graph is not None:
    raise BadSetting(f'{name} is one graph, whose nodes are not apart; compare sets of other data.')
  return getattr(found, f'{part}_images')


def _read_file(path: Path, name: str) -> 'np.ndarray':
  import numpy as np

  if not path.is_file():
    raise BadSetting(f'There is no file {str(path)!r}; write the path of one.')
  try:
    opened = np.load(path, allow_pickle=False)
  except (ValueError, EOFError) as error:
    raise BadSetting(f'{path} is no file of NumPy arrays without objects; write it with np.save.') from error
  if isinstance(opened, np.ndarray):
    return _numbers(path, opened)
  with opened:
    names = list(opened.files)
    if not name and len(names) != 1:
      raise BadSetting(f'{path} holds {", ".join(names) or "nothing"}; write which, as {path}:NAME.')
    if name and name not in names:
      raise BadSetting(f'{path} holds no {short(name)}; {suggest(name, names)}')
    return _numbers(path, opened[name or names[0]])


def _numbers(path: Path, values: 'np.ndarray') -> 'np.ndarray':
  if values.dtype.kind not in 'biuf' or not values.ndim:
    raise BadSetting(f'{path} holds {values.dtype} of {values.ndim} dimensions; a set is rows of numbers.')
  return values


def _look(through: Path | None, of: Of) -> 'Callable[[np.ndarray], np.ndarray]':
  """What of a set is compared."""
  if through is None:
    if of == 'predictions':
      raise BadSetting('--of predictions needs a network; name its record with --through.')
    return lambda values: values
  from ssl_bench.api import load_trained
  from ssl_bench.evaluation.scores import softmax

  network = load_trained(through)
  return network.features if of == 'features' else lambda images: softmax(network.logits(images))
