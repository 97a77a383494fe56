"""meta.json, the description beside a decoded set's arrays: its form, read strictly, and its errors."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ssl_bench.data.added import is_tfds
from ssl_bench.data.sources import SOURCES, decoded_folder
from ssl_bench.settings.signature import BadSetting

META = 'meta.json'
PARTS = ('train', 'validation', 'test')


class Broken(BadSetting):
  """A decoded set fails its checks; `why` is the short form of the sentence."""

  why = ''


class Sizes(BaseModel):
  """Images in each part; `unlabeled` is an official split without labels."""

  model_config = ConfigDict(extra='forbid', frozen=True, strict=True)

  train: int = Field(ge=1)
  validation: int = Field(ge=1)
  test: int = Field(ge=1)
  unlabeled: int = Field(ge=0)


class Added(BaseModel):
  """How a set was added: from what, by which rule its images became pixels and parts, and what was noted."""

  model_config = ConfigDict(extra='forbid', frozen=True, strict=True)

  source: str
  rule: str
  notes: tuple[str, ...] = ()
  license: str = ''


class Meta(BaseModel):
  """The content of meta.json: enough to list a set without reading its images.

  `shape` is (height, width, channels), of a graph (features,); `fingerprint` is from `arrays.fingerprint`,
  `folds` their number, `groups` the names of the groups that examples are from, such as speakers.  `added` is
  left out of the file for the sets of this package's sources, `groups` where there are none.
  """

  model_config = ConfigDict(extra='forbid', frozen=True, strict=True)

  version: str
  classes: int = Field(ge=1)
  label_names: tuple[str, ...]
  sizes: Sizes
  shape: tuple[int, ...]
  fingerprint: str = Field(pattern='^[0-9a-f]{64}$')
  folds: int = Field(ge=0)
  kind: str = 'image'
  groups: tuple[str, ...] | None = None
  added: Added | None = None

  @model_validator(mode='after')
  def _has_a_name_for_each_class(self) -> 'Meta':
    if len(self.label_names) != self.classes:
      raise ValueError(f'{len(self.label_names)} label_names for {self.classes} classes')
    return self

  def license_of(self, name: str) -> str:
    """The license of the set `name`, which this describes."""
    return SOURCES[name].license if name in SOURCES else self.added.license if self.added else ''


def read_meta(name: str, root: Path) -> Meta | None:
  """The meta.json of a set, None before it is decoded; raises `Broken` where it is missing or wrong."""
  folder = decoded_folder(name, root)
  if not folder.is_dir():
    return None
  try:
    text = (folder / META).read_bytes()
  except FileNotFoundError:
    raise broken(name, root, f'{META} is missing') from None
  except OSError as error:
    raise broken(name, root, f'{META} cannot be read ({error.strerror})') from None
  if not text.strip():
    raise broken(name, root, f'{META} is empty')
  try:
    meta = Meta.model_validate_json(text)
  except ValidationError as error:
    raise broken(name, root, _complaint(error)) from None
  source = SOURCES.get(name)
  for key in ('version', 'shape', 'classes', 'kind') if source else ():
    written, expected = getattr(meta, key), getattr(source, key)
    if written != expected:
      raise broken(name, root, f'{META} says {key} {written}, and {name} has {expected}')
  return meta


def broken(name: str, root: Path, why: str) -> Broken:
  """The error for a decoded set that fails a check, with the command that mends it."""
  mend = f'remove that folder and run: ssl-bench data prepare {name}.'
  if name not in SOURCES and not is_tfds(name):
    mend = f'run: ssl-bench data remove {name}, and add it again.'
  error = Broken(f'{decoded_folder(name, root)} is broken: {why}; {mend}')
  error.why = why
  return error


def _complaint(error: ValidationError) -> str:
  first = error.errors()[0]
  if first['type'] == 'json_invalid':
    return f'{META} is not JSON'
  where = '.'.join(map(str, first['loc']))
  if first['type'] == 'missing':
    return f'{META} says nothing of {where!r}'
  message = first['msg'].removeprefix('Value error, ')
  return f'{META} is wrong: {where}: {message}' if where else f'{META} is wrong: {message}'
