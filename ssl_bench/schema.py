"""The sections of a config: names, types, ranges and defaults of what is not some factory's own."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, field_validator, model_serializer

Probe = Literal['linear', 'knn', 'label_propagation', 'label_spreading']


class Section(BaseModel):
  model_config = ConfigDict(frozen=True, extra='forbid')


class Batch(Section):
  """Images per step; the unlabeled batch holds labeled · unlabeled_ratio."""

  labeled: StrictInt = Field(64, ge=1)
  unlabeled_ratio: StrictInt = Field(7, ge=1)

  @property
  def unlabeled(self) -> int:
    return self.labeled * self.unlabeled_ratio


class Ema(Section):
  """The average of the parameters that is evaluated."""

  decay: StrictFloat = Field(0.999, ge=0, le=1)


class Evaluate(Section):
  """When to look at validation and test, and which probes to fit at the end."""

  every: StrictInt = Field(100, ge=1)  # steps between two evaluations
  last: StrictInt = Field(20, ge=1)  # evaluations whose median is recorded
  probes: tuple[Probe, ...] = ('linear', 'knn')
  bootstrap: StrictInt = Field(1000, ge=100)  # resamples of an interval
  pretraining: bool = True  # look at a training without labels, too: loss, kNN and health on held-out images

  @model_serializer(mode='wrap')
  def _write(self, write: Any) -> dict[str, Any]:
    return {k: v for k, v in write(self).items() if k != 'pretraining' or not v}


class Checkpoint(Section):
  """When to save; `every` steps, and always at the end."""

  every: StrictInt = Field(1000, ge=1)


class Imbalance(Section):
  """How many times as many images the first class has as the last; below 1, fewer; null: as it is."""

  labeled: StrictFloat | None = Field(None, gt=0)
  unlabeled: StrictFloat | None = Field(None, gt=0)


class Stress(Section):
  """What is wrong with the data; nothing by default."""

  label_noise: StrictFloat = Field(0.0, ge=0, le=1)  # share of the labeled images with a wrong label
  mismatch: StrictFloat | None = Field(None, ge=0, le=1)  # share of the unlabeled classes without labels
  shift: str | None = None  # a policy that all images but the labeled ones went through before
  unlabeled: StrictInt | StrictFloat | None = Field(None, gt=0)  # unlabeled images: a count, or a fraction
  imbalance: Imbalance | None = None  # a number is that of both

  @model_serializer(mode='wrap')
  def _write(self, write: Any) -> dict[str, Any]:
    fields = type(self).model_fields
    return {k: v for k, v in write(self).items() if getattr(self, k) != fields[k].default}

  @field_validator('imbalance', mode='before')
  @classmethod
  def _of_both(cls, value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {'labeled': value, 'unlabeled': value} if number else value


class Federated(Section):
  """Training by clients that share parameters and no images: rounds of `local_steps`, then the mean."""

  clients: StrictInt = Field(10, ge=1)
  local_steps: StrictInt = Field(25, ge=1)  # that each client of a round takes
  participation: StrictFloat = Field(1.0, gt=0, le=1)  # share of the clients in a round
  split: str = 'iid'  # or dirichlet(0.3): who holds which image
  proximal: StrictFloat = Field(0.0, ge=0)  # μ of FedProx; 0 is FedAvg


class Private(Section):
  """Differentially private SGD; ε comes out, at `delta`."""

  clip: StrictFloat = Field(1.0, gt=0)  # norm to which the gradient of one unit is clipped
  noise: StrictFloat = Field(1.0, ge=0)  # its standard deviation, in units of `clip`; 0 protects nothing
  delta: StrictFloat = Field(1e-5, gt=0, lt=1)
