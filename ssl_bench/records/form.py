"""The form of a record: what every part of it may hold."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ssl_bench.records.strict_json import WORDS

Tree = dict[str, Any]

BOUND = 1e100  # no measure is larger; sums and squares of such numbers are still finite
ROUNDING = 1e-9  # by which a statistic may leave its range


def _unsaid(value: Any) -> Any:
  """A number that was not finite stands as a word: there was one, and nothing can be computed with it."""
  return None if isinstance(value, str) and value in WORDS else value


UNSAID = BeforeValidator(_unsaid)
Accuracy = Annotated[Annotated[float, Field(ge=0, le=1)] | None, UNSAID]
Share = Annotated[Annotated[float, Field(ge=-ROUNDING, le=1 + ROUNDING)] | None, UNSAID]
Brier = Annotated[Annotated[float, Field(ge=-ROUNDING, le=2 + ROUNDING)] | None, UNSAID]
Squared = Annotated[Annotated[float, Field(ge=-ROUNDING, le=4 + ROUNDING)] | None, UNSAID]  # of unit vectors
Amount = Annotated[Annotated[float, Field(ge=-ROUNDING, le=BOUND)] | None, UNSAID]
Number = Annotated[Annotated[float, Field(ge=-BOUND, le=BOUND)] | None, UNSAID]
Count = Annotated[int, Field(ge=0, le=2**53)]
Version = Annotated[int, Field(ge=0, le=2**31)]
Name = Annotated[str, Field(max_length=300)]
Sha = Annotated[str, Field(pattern='^[0-9a-f]{64}$')]


def _moment(text: str) -> str:
  datetime.fromisoformat(text)
  return text


Moment = Annotated[str, Field(max_length=64), AfterValidator(_moment)]


class Part(BaseModel):
  """A part that may hold further names than those here."""

  model_config = ConfigDict(extra='allow', strict=True, frozen=True, allow_inf_nan=False)


class Scores(Part):
  """Accuracy and calibration of one set of predictions; what was not measured is absent or null."""

  accuracy: Accuracy = None
  nll: Amount = None
  brier: Brier = None
  ece: Share = None
  ece_interval: list[Share] | None = None
  ece_adaptive: Share = None
  ece_classwise: Share = None
  mce: Share = None


class Probe(Part):
  accuracy: Accuracy = None
  transductive: Accuracy = None
  l2: Amount = None
  n: Count | None = None


class Bins(Part):
  """A reliability diagram; the lists are of one length."""

  count: list[Count]
  confidence: list[Share]
  accuracy: list[Share]


class PseudoLabels(Part):
  precision: Share = None
  coverage: Share = None
  agreement: Share = None
  precision_by_class: list[Share] | None = None
  coverage_by_class: list[Share] | None = None


class Health(Part):
  feature_std: Amount = None
  rankme: Amount = None
  rankme_centered: Amount = None
  embedding_entropy: Number = None
  alignment: Squared = None
  uniformity: Number = None


class Privacy(Part):
  epsilon: Amount = None
  stream: Name = ''


class Metrics(Scores):
  """What was measured of a trained state; empty where a trial did not end well."""

  accuracy_on_validation: Accuracy = None
  accuracy_by_class: list[Accuracy] | None = None
  accuracy_validation_selected: Accuracy = None
  accuracy_median_last: Accuracy = None
  accuracy_best_on_test: Accuracy = None
  temperature: Amount = None
  classifier: Name | None = None
  scaled: Scores | None = None
  isotonic: Scores | None = None
  raw: Scores | None = None
  reliability: Bins | None = None
  reliability_scaled: Bins | None = None
  linear: Probe | None = None
  linear_budget: Probe | None = None
  label_propagation: Probe | None = None
  label_spreading: Probe | None = None
  transductive: Probe | None = None
  knn: dict[str, Accuracy] | None = None
  retrieval: dict[str, Accuracy] | None = None
  probes: dict[str, Accuracy] | None = None  # of plugins
  pseudo_labels: PseudoLabels | None = None
  health: Health | None = None
  collapsed: bool | None = None
  collapse_reason: str | None = None
  privacy: Privacy | None = None
  membership_auc: Share = None


class Rounds(Part):
  rounds: Count
  clients: Count
  participants: Count
  bytes_down: Count
  bytes_up: Count


class Cost(Part):
  seconds_per_epoch: Amount = None
  images_per_second: Amount = None
  steps_per_epoch: Amount = None
  steps: Count | None = None
  gflops_per_step: Amount = None
  gflops_per_epoch: Amount = None
  gflops_per_image: Amount = None
  teacher_gflops: Amount = None
  compile_seconds: Amount = None
  train_seconds: Amount = None
  inference_images_per_second: Amount = None
  peak_memory_bytes: Amount = None
  parameters: Amount = None
  shared: bool | None = None
  federated: Rounds | None = None


class Git(Part):
  commit: Name | None = None
  dirty: bool | None = None


class Device(Part):
  platform: Name | None = None
  kind: Name | None = None
  count: Annotated[int, Field(ge=1, le=2**20)] | None = None


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
  dataset: Name | None = None
  code: Sha | None = None


def _check_rows(rows: list[Tree], shares: Iterable[str] = ()) -> list[Tree]:
  """Rows of one step each: a step, and named numbers or lists of numbers."""
  for row in rows:
    step = row.get('step')
    if type(step) is not int or step < 0:
      raise ValueError(f'every row needs a step, a whole number, not {step!r}')
    for name, value in row.items():
      for part in value if isinstance(value, list) else (value,):
        if type(part) not in _NUMBERS and _unsaid(part) is not None:
          raise ValueError(f'{name} at step {step} must be a number or a list of numbers')
    for name in shares:
      value = _unsaid(row.get(name))
      if value is not None and not (type(value) in _NUMBERS and 0 <= value <= 1):
        raise ValueError(f'{name} at step {step} must be in [0, 1], not {value!r}')
  return rows


_NUMBERS = (float, int)  # bool is neither here
Rows = Annotated[list[Tree], AfterValidator(_check_rows)]
HELD_OUT = ('validation_accuracy', 'test_accuracy', 'knn')
Evaluations = Annotated[list[Tree], AfterValidator(lambda rows: _check_rows(rows, HELD_OUT))]


class Record(Part):
  """A record; `checks.check_agreement` tells whether its parts agree.

  `tier` is 'submitted' for a record that came by `submit`, and 'ours', as where it is absent, for those that
  the maintainers ran.
  """

  model_config = ConfigDict(extra='forbid')

  schema_: int = Field(alias='schema', ge=1, le=1)
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
  metrics: Metrics
  curve: Rows
  evaluations: Evaluations
  cost: Cost
  environment: Environment
  time: Time
