"""A config and its sections: names, types, ranges and defaults of what is not some factory's own."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
  AfterValidator,
  BaseModel,
  ConfigDict,
  Field,
  SerializeAsAny,
  StrictFloat,
  StrictInt,
  create_model,
  field_validator,
  model_serializer,
)

from ssl_bench.settings.signature import short

Protocol = Literal['smoke', 'budget', 'paper']
# Probe -> what it is; there may be others in plugins.
PROBES = {
  'linear': 'logistic regression on frozen features',
  'linear_rows': 'logistic regression of each class against the rest, on features of length 1',
  'knn': 'cosine nearest neighbors',
  'label_propagation': 'label propagation on a graph of features',
  'label_spreading': 'label spreading on a graph of features',
}
# Shift of the test inputs -> the kinds of data that it is for.
SHIFTS = {
  'noise': ('image', 'series', 'audio'),
  'blur': ('image',),
  'contrast': ('image',),
  'brightness': ('image',),
  'translation': ('image',),
  'rotation': ('image',),
  'jpeg': ('image',),
}
# Attack on the privacy of an encoder -> what it finds; see `evaluation.attacks`.
ATTACKS = {
  'membership': 'which examples it was trained on, by how alike their views are',
  'attributes': 'the group that an example is from, such as its speaker',
  'inversion': 'what an image looks like',
}
STEPS = 2**31  # that a run stays below, and so does what counts them
SEEDS = 2**32
IMAGES = 2**31
# Numbers that are traced in single precision, far from what it takes for infinity or zero.
MOST, LEAST = 10**9, 1e-9


class Section(BaseModel):
  # What is no finite number is no setting, and a dump that met one all the same would not hide it as null.
  model_config = ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False, ser_json_inf_nan='constants')


class Batch(Section):
  """Images per step; the unlabeled batch holds labeled · unlabeled_ratio."""

  labeled: StrictInt = Field(64, ge=1, le=2**20)
  unlabeled_ratio: StrictInt = Field(7, ge=1, le=2**10)
  whole: bool = False  # every step sees all labeled and all unlabeled images instead

  @model_serializer(mode='wrap')
  def _write(self, write: Any) -> dict[str, Any]:
    return {k: v for k, v in write(self).items() if k != 'whole' or v}

  @property
  def unlabeled(self) -> int:
    return self.labeled * self.unlabeled_ratio


class Ema(Section):
  """The average of the parameters that is evaluated."""

  decay: StrictFloat = Field(0.999, ge=0, le=1)


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
  if twice := [name for name in names if names.count(name) > 1]:
    raise ValueError(f'names {twice[0]} twice; leave one of them out')
  return names


# Settings of `evaluate` that are written only where they are not their default, as `ADDED` are.
LATER = ('pretraining', 'shifts', 'privacy', 'transfer', 'latency', 'pseudo_labels')


class Evaluate(Section):
  """When to look at validation and test, and which probes to fit at the end."""

  every: StrictInt = Field(100, ge=1, lt=STEPS)  # steps between two evaluations
  last: StrictInt = Field(20, ge=1, le=10_000)  # evaluations whose median is recorded
  probes: Annotated[tuple[str, ...], AfterValidator(_each_once)] = ('linear', 'knn')
  bootstrap: StrictInt = Field(1000, ge=100, le=100_000)  # resamples of an interval
  shifts: Annotated[
    tuple[str, ...], AfterValidator(_each_once)
  ] = ()  # of test inputs, at five severities each
  privacy: Annotated[tuple[str, ...], AfterValidator(_each_once)] = ()  # attacks on the encoder
  transfer: Annotated[tuple[str, ...], AfterValidator(_each_once)] = ()  # data sets to probe the encoder on
  pretraining: bool = True  # look at a training without labels, too: loss, kNN and health on held-out images
  latency: bool = False  # time single calls of the trained network, 1 and 64 images each
  pseudo_labels: bool = False  # look at those of a fixed sample while it trains: calibration, confirmation

  @model_serializer(mode='wrap')
  def _write(self, write: Any) -> dict[str, Any]:
    fields = type(self).model_fields
    return {k: v for k, v in write(self).items() if k not in LATER or getattr(self, k) != fields[k].default}


class Checkpoint(Section):
  """When to save; `every` steps, and always at the end."""

  every: StrictInt = Field(1000, ge=1, lt=STEPS)


class EarlyStop(Section):
  """Ends a training that gains nothing any more on the validation part; the test part is never asked."""

  patience: StrictInt = Field(10, ge=1, lt=STEPS)  # evaluations in a row without a rise, after which it ends
  min_delta: StrictFloat = Field(0.0, ge=0, lt=1)  # more than which accuracy must rise


class Imbalance(Section):
  """How many times as many images the first class has as the last; below 1, fewer; null: as it is."""

  labeled: StrictFloat | None = Field(None, ge=LEAST, le=MOST)
  unlabeled: StrictFloat | None = Field(None, ge=LEAST, le=MOST)


class Stress(Section):
  """What is wrong with the data; nothing by default."""

  label_noise: StrictFloat = Field(0.0, ge=0, le=1)  # share of the labeled images with a wrong label
  mismatch: StrictFloat | None = Field(None, ge=0, le=1)  # share of the unlabeled classes without labels
  shift: str | None = None  # a policy that all images but the labeled ones went through before
  unlabeled: StrictInt | StrictFloat | None = Field(None, gt=0, lt=IMAGES)  # a count, or a fraction
  imbalance: Imbalance | None = None  # a number is that of both
  anomaly: StrictInt | None = Field(None, ge=0, lt=IMAGES)  # a class that training lacks: its test images
  held_out: str | None = None  # a group, such as a speaker, that is the test part and in no other
  target: str | None = None  # another set of the same classes: its images are the unlabeled and the test ones

  @model_serializer(mode='wrap')
  def _write(self, write: Any) -> dict[str, Any]:
    fields = type(self).model_fields
    return {k: v for k, v in write(self).items() if getattr(self, k) != fields[k].default}

  @field_validator('imbalance', mode='before')
  @classmethod
  def _of_both(cls, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {'labeled': value, 'unlabeled': value} if number else value


# Written only where they are not their default, as patterns are: so older records keep their identity.
ADDED = ('stress', 'combine', 'teacher', 'init', 'text_net', 'plugins', 'early_stop')


class Config(Section):
  """Everything that decides a trial; `with_patterns` adds the section of each pattern of training."""

  PATTERNS: ClassVar[tuple[str, ...]] = ()  # names of the patterns' sections

  dataset: str
  labels: StrictInt | StrictFloat = Field(gt=0, lt=IMAGES)  # a count, or a fraction of the training part
  split_seed: StrictInt = Field(0, ge=0, lt=SEEDS)
  fold: StrictInt | None = Field(None, ge=0, le=10_000)  # an official labeled fold (STL-10)
  seed: StrictInt = Field(0, ge=0, lt=SEEDS)
  protocol: Protocol = 'budget'
  method: dict[str, Any]
  net: dict[str, Any]
  batch: Batch = Batch()
  steps: StrictInt = Field(ge=1, lt=STEPS)
  optimizer: dict[str, Any]
  ema: Ema | None = Ema()
  augment: dict[str, str]
  evaluate: Evaluate = Evaluate()
  checkpoint: Checkpoint = Checkpoint()
  log_every: StrictInt = Field(50, ge=1, lt=STEPS)
  early_stop: EarlyStop | None = None
  stress: Stress | None = None
  combine: tuple[str, ...] = ()  # combinators over the method, the first the innermost
  teacher: SerializeAsAny['Config | None'] = None  # the trial whose trained network the method learns from
  init: Literal['random', 'teacher'] = 'random'  # where the encoder's weights begin
  text_net: dict[str, Any] | None = None  # the net for captions, where a method reads them
  plugins: tuple[str, ...] = ()  # files, and installed packages, that hold what is named here

  @field_validator('combine', mode='before')
  @classmethod
  def _in_a_line(cls, value: Any) -> Any:
    if not isinstance(value, str):
      return value
    if value.strip() in ('', 'none'):
      return ()
    if not all(part.strip() for part in value.split('|')):
      raise ValueError(f'needs a name on either side of each |, not {short(value)}')
    return tuple(part for part in value.split('|') if part.strip() != 'none')

  @model_serializer(mode='wrap')
  def _write(self, write: Any) -> dict[str, Any]:
    added, fields = (*ADDED, *self.PATTERNS), type(self).model_fields
    return {k: v for k, v in write(self).items() if k not in added or getattr(self, k) != fields[k].default}

  @property
  def patterns(self) -> dict[str, Section]:
    """The patterns that this trial asks for: name -> settings."""
    found = {name: getattr(self, name) for name in self.PATTERNS}
    return {name: settings for name, settings in found.items() if settings is not None}


def with_patterns(sections: Mapping[str, type[Section]]) -> type[Config]:
  """The config with an optional section for each pattern, by name."""
  fields: dict[str, Any] = {name: (section | None, None) for name, section in sections.items()}
  fields['teacher'] = ('Config | None', None)  # the class that is made here
  made = create_model('Config', __base__=Config, __module__=__name__, **fields)
  made.PATTERNS = tuple(sections)
  return made
