"""The form of a record: what every part of it may hold."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
  AfterValidator,
  BaseModel,
  BeforeValidator,
  ConfigDict,
  Field,
  PlainValidator,
  create_model,
)

from ssl_bench import measures
from ssl_bench.measures import Measure
from ssl_bench.records.strict_json import WORDS

Tree = dict[str, Any]

BOUND = 1e100  # no measure is larger; sums and squares of such numbers are still finite
COMPARED = (
  'bins',
  'interval',
  'intervals',
  'curve',
  'matrix',
  'accuracy',
  'accuracy_by_class',
)  # forms and names of measures
ROUNDING = 1e-9  # by which a statistic may leave its range


def _unsaid(value: Any) -> Any:
  """A number that was not finite stands as a word: there was one, and nothing can be computed with it."""
  return None if isinstance(value, str) and value in WORDS else value


UNSAID = BeforeValidator(_unsaid)
Accuracy = Annotated[Annotated[float, Field(ge=0, le=1)] | None, UNSAID]
Share = Annotated[Annotated[float, Field(ge=-ROUNDING, le=1 + ROUNDING)] | None, UNSAID]
Count = Annotated[int, Field(ge=0, le=2**53)]
Version = Annotated[int, Field(ge=0, le=2**31)]
Name = Annotated[str, Field(max_length=300)]
Text = Annotated[str, Field(max_length=1000)]
Sha = Annotated[str, Field(pattern='^[0-9a-f]{64}$')]


def _moment(text: str) -> str:
  datetime.fromisoformat(text)
  return text


Moment = Annotated[str, Field(max_length=64), AfterValidator(_moment)]


class Part(BaseModel):
  """A part that may hold further names than those here."""

  model_config = ConfigDict(extra='allow', strict=True, frozen=True, allow_inf_nan=False)


class Bins(Part):
  """A reliability diagram; the lists are of one length."""

  count: list[Count]
  confidence: list[Share]
  accuracy: list[Share]


_FORMS: dict[str, Any] = {  # what a value of a measure may be, where it is no number
  'share': Accuracy,
  'count': Annotated[Count | None, UNSAID],
  'flag': bool | None,
  'text': Text | None,
  'shares': list[Share] | None,
  'severities': list[Share] | None,
  'interval': list[Share] | None,
  'bins': Bins | None,
  'texts': list[Name] | None,
  'curve': dict[Name, list[Share]] | None,
  'matrix': list[list[Count]] | None,
}


def _form_of(row: Measure) -> Any:
  """The type of a measure's value; null where it is not known."""
  if row.values in _FORMS:
    return _FORMS[row.values]
  low, high = row.range
  least = -BOUND if low is None else low - ROUNDING
  most = BOUND if high is None else high + ROUNDING
  number = Annotated[Annotated[float, Field(ge=least, le=most)] | None, UNSAID]
  forms = {
    'number': number,
    'numbers': list[number] | None,
    'intervals': list[list[number] | None] | None,
    'by_name': dict[Name, number] | None,
  }
  return forms[row.values]


class _Form(NamedTuple):
  """`metrics` or `cost`: an object that may hold every measure, and further names."""

  model: type[Part]
  compared: Sequence[Measure]  # those that other parts of a record are compared with


@lru_cache(8)
def _form(part: str, decided_by: tuple) -> _Form:
  del decided_by  # the measures are those of now
  tree: Tree = {}
  rows = [row for row in measures.all_measures() if row.function and row.path[0] == part]
  for row in rows:
    measures.put(tree, row.path[1:], row)
  return _Form(_nested(part, tree), [r for r in rows if r.values in COMPARED or r.name in COMPARED])


def _nested(name: str, tree: Tree) -> type[Part]:
  fields: dict[str, Any] = {}
  for i, (key, inside) in enumerate(tree.items()):
    form = _form_of(inside) if isinstance(inside, Measure) else _nested(key, inside) | None
    fields[f'field_{i}'] = (form, Field(None, alias=key))
  return create_model(name, __base__=Part, **fields)


def check_part(part: str, tree: Any) -> None:
  """Raises pydantic's `ValidationError` where `metrics` or `cost` hold what a measure cannot be."""
  _form(part, measures.decided_by()).model.model_validate(tree)


def _read_part(part: str) -> PlainValidator:
  """Checks a part of a record, and gives what is compared of it by name, with null for what is not finite."""

  def read(tree: Any) -> dict[str, Any]:
    form = _form(part, measures.decided_by())
    form.model.model_validate(tree)
    found = {row.name: measures.at(tree, *row.path[1:]) for row in form.compared}
    return {name: _plain(value) for name, value in found.items() if value is not None}

  return PlainValidator(read)


_PLAIN = {float, int, type(None)}


def _plain(value: Any) -> Any:
  if isinstance(value, dict):
    return {name: _plain(part) for name, part in value.items()}
  if not isinstance(value, list):
    return _unsaid(value)
  return value if set(map(type, value)) <= _PLAIN else [_plain(part) for part in value]


Metrics = Annotated[dict[str, Any], _read_part('metrics')]
Costs = Annotated[dict[str, Any], _read_part('cost')]


class Git(Part):
  commit: Name | None = None
  dirty: bool | None = None


class Device(Part):
  platform: Name | None = None
  kind: Name | None = None
  count: Annotated[int, Field(ge=1, le=2**20)] | None = None
  processes: Annotated[int, Field(ge=2, le=2**20)] | None = None


class Environment(Part):
  python: Name | None = None
  packages: dict[str, Name] | None = None
  git: Git | None = None
  device: Device | None = None
  flags: dict[str, str] | None = None


class Time(Part):
  started: Moment | None = None
  finished: Moment | None = None


class Clients(Part):
  images: list[Count]
  labels: list[Count] | None = None


class Split(Part):
  """Sizes and hash of the parts; empty where a trial failed before they were known."""

  hash: Sha | None = None
  labeled: Count | None = None
  train: Count | None = None
  validation: Count | None = None
  test: Count | None = None
  unlabeled: Count | None = None
  wrong: Count | None = None
  classes: Count | None = None
  clients: Clients | None = None


class Versions(Part):
  """What besides the config decides a number; `code` is the SHA-256 of the code that computed it."""

  protocol: Version
  method: Version
  fingerprint: Name
  combine: list[Version] | None = None
  teachers: list[Version] | None = None
  other_data: dict[Name, Name] | None = None
  dataset: Name | None = None
  code: Sha | None = None


def _check_rows(rows: list[Tree], shares: Iterable[str] = ()) -> list[Tree]:
  """Rows of one step each: a step, and named numbers or lists of numbers."""
  for row in rows:
    step = row.get('step')
    if type(step) is not int or step < 0:
      raise ValueError(f'every row needs a step, a whole number, not {step!r}')
    for name, value in () if _NUMBERS.issuperset(map(type, row.values())) else row.items():
      for part in value if isinstance(value, list) else (value,):
        if type(part) not in _NUMBERS and _unsaid(part) is not None:
          raise ValueError(f'{name} at step {step} must be a number or a list of numbers')
    for name in shares:
      value = _unsaid(row.get(name))
      if value is not None and not (type(value) in _NUMBERS and 0 <= value <= 1):
        raise ValueError(f'{name} at step {step} must be in [0, 1], not {value!r}')
  return rows


_NUMBERS = {float, int}  # bool is neither here
Rows = Annotated[list[Tree], AfterValidator(_check_rows)]
HELD_OUT = ('validation_accuracy', 'test_accuracy', 'knn')
Evaluations = Annotated[list[Tree], AfterValidator(lambda rows: _check_rows(rows, HELD_OUT))]


class Record(Part):
  """A record; `checks.check_agreement` tells whether its parts agree.

  `tier` is 'submitted' for a record that came by `submit`, and 'ours', as where it is absent, for those that
  the maintainers ran.  `curves` is the SHA-256 of the record's curves, which are in a file of their own, and
  `predictions` that of its predictions; a record from before they were kept lacks it.
  """

  model_config = ConfigDict(extra='forbid')

  schema_: int = Field(alias='schema', ge=2, le=2)
  id: str = Field(pattern='^[0-9a-f]{16}$')
  tier: Literal['ours', 'submitted'] = 'ours'
  grid: Name | None
  protocol: Literal['smoke', 'budget', 'paper']
  status: Literal['done', 'failed', 'diverged']
  error: str | None
  config: Tree
  augment_resolved: dict[str, str]
  family: Literal['semi-supervised', 'self-supervised']
  versions: Versions
  labels: Count
  labels_seen: Literal['trial', 'more', 'all']
  split: Split
  metrics: Metrics  # measure -> value, of those that are compared
  curves: Sha | None
  predictions: Sha | None = None
  cost: Costs  # likewise
  environment: Environment
  time: Time
