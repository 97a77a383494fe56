"""The file of a tuning: its methods with their spaces, the budget of each, and the trials of a candidate."""

import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from ssl_bench import data
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.grid.expand import Source, axes_of, cells, check_name, find_base, read_base
from ssl_bench.planning import make_plan
from ssl_bench.planning.structure import longest_stride
from ssl_bench.records.record import TUNING
from ssl_bench.settings.explain import explain
from ssl_bench.settings.find import check_file, find
from ssl_bench.settings.paths import find_plugins
from ssl_bench.settings.signature import BadSetting, suggest
from ssl_bench.settings.yaml import merge, parse_override, read_yaml
from ssl_bench.trial.training import name_of, names_of
from ssl_bench.tune.samplers import Values, check_optuna
from ssl_bench.tune.space import Choice, Space, read_space, settings_of

MOST = 10_000  # candidates of a method in a study


class Form(BaseModel):
  """What a file of a tuning may say.

  base: a folder of configs, as in a grid; `set` and `plugins` likewise.
  over: the axes over which a candidate's validation accuracy is a mean: split seeds, seeds, labels.
  methods: method -> the space of its settings.
  budget: training steps of each method in each study.
  studies: independent searches; the median of their winners is what is reported.
  sampler: sobol and halton are fixed lists; tpe (Optuna) asks for `batch` candidates by what came out so far.
  rungs: of successive halving, each `factor` times as long as the one before, rounded up to where every
    machine can stop a training; 1 trains all to the end.
  most: candidates of a method in a study, where the budget allows more.
  """

  model_config = ConfigDict(frozen=True, extra='forbid')

  name: str
  base: str
  plugins: tuple[str, ...] = ()
  set: dict[str, Any] = {}
  over: dict[str, Any]
  methods: dict[str, Any] = Field(min_length=1)
  budget: StrictInt = Field(ge=1)
  studies: StrictInt = Field(3, ge=1, le=99)
  seed: StrictInt = Field(0, ge=0)
  sampler: Literal['sobol', 'halton', 'tpe'] = 'sobol'
  batch: StrictInt = Field(4, ge=1, le=MOST)
  rungs: StrictInt = Field(1, ge=1, le=10)
  factor: StrictInt = Field(3, ge=2, le=100)
  most: StrictInt = Field(64, ge=1, le=MOST)


class Method(NamedTuple):
  """A method that is tuned, and what a candidate of it costs."""

  name: str
  dataset: str
  space: Space
  rungs: tuple[int, ...]  # steps at which candidates are compared, the last of a training the last
  trainings: int  # of a candidate
  before: int  # steps that a candidate needs before its own: of teachers, where the space changes them


class Tuning(NamedTuple):
  """What a file says."""

  form: Form
  methods: tuple[Method, ...]
  source: Source
  over: tuple[dict[str, Any], ...]  # what the trials of a candidate set
  overrides: tuple[str, ...]

  def configs(self, method: Method, values: Values) -> list[Config]:
    """The trials of a candidate; raises `BadSetting` for settings that cannot be."""
    return _configs(self.source, method.name, settings_of(method.space, values), self.over, self.overrides)


def read(path: str | Path, overrides: Sequence[str] = (), *, methods: Sequence[str] = ()) -> Tuning:
  """The tuning of a file.

  Every choice and both ends of every range are checked, each beside the first values of the others.  Raises
  `BadSetting` with the method that is wrong, for an override of what is tuned, and where data are not here.

  Args:
    path: the file, or a name such as digits_tuning, as of a grid.
    overrides: settings as key=value, for all trials.
    methods: those of the file to tune; all without one.
  """
  path = find(Path(path), 'grid')
  check_file(path, 'grid')
  tree = read_yaml(path)
  if 'methods' not in tree and 'blocks' in tree:
    raise BadSetting(f'{path} is a grid, not the file of a tuning; run it with `ssl-bench grid`.')
  tree = {'name': path.stem, **tree}
  try:
    form = Form.model_validate(tree)
  except ValidationError as error:
    raise BadSetting(f'{path}: {explain(error.errors(), tree, Form, {})}') from None
  check_name(path, form.name)
  if form.sampler == 'tpe':
    check_optuna()
  for name in methods:
    if name not in form.methods:
      raise BadSetting(f'{path} tunes no {name!r}; {suggest(name, form.methods)}')
  base = find_base(path, form.base)
  changes = find_plugins(merge({'plugins': list(form.plugins)}, form.set), path)
  source = Source(path, base, cache(partial(read_base, base)), changes)
  spaces = {name: _space(path, name, form.methods[name]) for name in methods or form.methods}
  over = _over(path, form.over)
  _check_apart(path, form.over, spaces, overrides)
  found = [_method(form, source, name, space, over, tuple(overrides)) for name, space in spaces.items()]
  return Tuning(form, tuple(found), source, over, tuple(overrides))


def _space(path: Path, method: str, tree: Any) -> Space:
  try:
    return read_space(tree)
  except BadSetting as error:
    raise BadSetting(f'{path}, {method}: {error}') from None


def _over(path: Path, tree: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
  """What each trial of a candidate sets; raises `BadSetting` for split seeds that a board shows."""
  try:
    axes_of({'method': '', **tree})
    found = [{k: v for k, v in cell.items() if k != 'method'} for cell in cells({'method': '', **tree})]
  except BadSetting as error:
    raise BadSetting(f'{path}, over: {error}') from None
  for cell in found:
    if cell.get('split_seed') not in TUNING:
      raise BadSetting(
        f'{path}, over: each trial needs a split_seed from {TUNING[0]} to {TUNING[-1]}, which no board shows.'
      )
  return tuple(found)


def _check_apart(
  path: Path, over: Mapping[str, Any], spaces: Mapping[str, Space], overrides: Sequence[str]
) -> None:
  """Raises `BadSetting` where one setting is given in two ways: by the space, the axes and the command."""
  shared = [name.strip() for key in over for name in str(key).split(',')]
  tuned = {name for space in spaces.values() for axis in space for name in axis.names}
  for name in shared:
    if name in ('steps', 'method') or any(_touch(name, other) for other in tuned):
      raise BadSetting(f'{path}, over: {name!r} cannot stand here; it is the same for all trials, or tuned.')
  for text in overrides:
    name = parse_override(text)[0]
    if name in ('method', 'method.name') or any(_touch(name, other) for other in (*shared, *tuned)):
      raise BadSetting(f'{text} would change what {path} varies; edit the file.')


def _touch(one: str, other: str) -> bool:
  """Whether two dotted names reach one setting."""
  return f'{one}.'.startswith(f'{other}.') or f'{other}.'.startswith(f'{one}.')


def _configs(
  source: Source,
  method: str,
  settings: Mapping[str, Any],
  over: Sequence[Mapping[str, Any]],
  overrides: Sequence[str],
) -> list[Config]:
  found = [(method, {'method': method, **settings, **cell}) for cell in over]
  return [config for config, _ in source.configs(found, overrides, need_data=True)]


def _method(
  form: Form,
  source: Source,
  name: str,
  space: Space,
  over: Sequence[Mapping[str, Any]],
  overrides: Sequence[str],
) -> Method:
  """A method of the file, once its space is checked; raises `BadSetting`."""
  first = [axis.values.at(0.0) for axis in space]
  configs = _configs(source, name, settings_of(space, first), over, overrides)
  variants = [configs]
  for place, axis in enumerate(space):
    ends = axis.values
    for value in ends.values if isinstance(ends, Choice) else (ends.high,):
      one = [*first[:place], value, *first[place + 1 :]]
      variants.append(_configs(source, name, settings_of(space, one), over, overrides))
  config, dataset = configs[0], data.load(configs[0].dataset)
  try:
    make_plan(config, dataset)
    teachers = [_teachers(one, dataset) for one in variants]
  except BadSetting as error:
    raise BadSetting(f'{source.path}, {name}: {error}') from None
  trainings = len({name_of(one, dataset) for one in configs})
  is_tuned = any(one.keys() != teachers[0].keys() for one in teachers)
  before = max(sum(one.values()) for one in teachers) if is_tuned else 0
  stride = math.lcm(*(longest_stride(one) for configs in variants for one in configs))
  return Method(name, config.dataset, space, _rungs(form, config.steps, stride), trainings, before)


def _rungs(form: Form, steps: int, stride: int) -> tuple[int, ...]:
  """Steps at which candidates are compared, rounded up to where every machine can stop a training."""
  parts = (stride * form.factor**power for power in range(form.rungs))
  return tuple(sorted({min(steps, stride * -(-steps // part)) for part in parts}))


def _teachers(configs: Sequence[Config], dataset: Dataset) -> dict[str, int]:
  """The trainings of all teachers of some trials, each with its steps."""
  found = ((name, one, config) for config in configs for name, one in names_of(config, dataset).items())
  return {name: one.steps for name, one, config in found if one is not config}
