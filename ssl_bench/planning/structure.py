"""The structure of a trial: everything that is compiled, as one hashable object; nothing that is traced."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from immutabledict import immutabledict

from ssl_bench import augment, combine, methods, optim, pattern
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.kinds import read_shape
from ssl_bench.kinds.graph import GraphSizes, sizes_of
from ssl_bench.planning.split import labeled_of, of_teacher
from ssl_bench.settings.signature import settings_of

Frozen = immutabledict[str, Any]  # a tree of settings, lists as tuples


class Part(NamedTuple):
  """A factory by its name, with those of its settings that are compiled."""

  name: str
  settings: Frozen


class PatternPart(NamedTuple):
  """A pattern of training: the part of its settings that is compiled, and the names of its numbers."""

  settings: Frozen
  numbers: tuple[str, ...]


class DataShape(NamedTuple):
  """What a compiled program knows of a dataset."""

  kind: str  # of `ssl_bench.kinds`
  shape: tuple[int, ...]  # of one image as a network reads it: (height, width, channels)
  stored: tuple[int, ...]  # of one as it is stored; that of a node, which is its position, is ()
  classes: int
  train: int  # images of the training part
  unlabeled: int  # images of the unlabeled stream
  images: int  # images that training may see
  is_subset: bool  # whether the unlabeled stream leaves some of them out
  captions: tuple[int, int] | None  # (captions an image, tokens a caption)
  prompts: tuple[Any, ...] | None  # the classes' names as tokens, where a text net reads them
  graph: GraphSizes | None = None  # where there is one
  columns: tuple[int, ...] | None = None  # values of each column of a table


class BatchSize(NamedTuple):
  """Images of each stream in a step."""

  labeled: int
  unlabeled: int
  whole: bool = False  # every step sees all of them, in one order

  def of(self, stream: str) -> int:
    return self.unlabeled if stream == 'unlabeled' else self.labeled


@dataclass(frozen=True)
class Structure:
  """What is compiled for a trial; trials with equal structures share one program.

  `teacher` is the structure of the trial that is trained first; where `begins`, the encoder begins with that
  trial's.  `patterns` holds what each pattern compiles, and `stride` is the number of steps of one dispatch.
  """

  method: Part
  combine: tuple[Part, ...]
  net: Part
  text_net: Part | None
  optimizer: Frozen
  average: bool  # whether a moving average of the parameters is evaluated
  batch: BatchSize
  policies: immutabledict[str, str]
  data: DataShape
  teacher: 'Structure | None'
  begins: bool
  patterns: immutabledict[str, PatternPart]
  stride: int


def structure_of(config: Config, dataset: Dataset, labels: int = 1) -> Structure:
  """The structure of a config on a dataset, which is under the config's stress already.

  `labels` is the number of labeled images, on which it depends only where a step sees all of them.
  """
  settings = settings_of(methods.get(config.method['name']))
  _, optimizer = optim.split_numbers(config.optimizer)
  return Structure(
    method=part({k: v for k, v in config.method.items() if k == 'name' or not settings[k].is_number}),
    combine=tuple(split_combinator(text)[1] for text in config.combine),
    net=part(config.net),
    text_net=part(config.text_net) if config.text_net else None,
    optimizer=freeze(optimizer),
    average=config.ema is not None,
    batch=_batch_of(config, dataset, labels),
    policies=immutabledict(
      {k: augment.resolve(v, dataset.channels, dataset.kind) for k, v in config.augment.items()}
    ),
    data=_shape_of(dataset, reads_captions=config.text_net is not None),
    teacher=_teacher(config, dataset, labels) if config.teacher else None,
    begins=config.init == 'teacher',
    patterns=immutabledict({name: _pattern(name, own) for name, own in config.patterns.items()}),
    stride=stride_of(config),
  )


def _teacher(config: Config, dataset: Dataset, labels: int) -> Structure:
  assert config.teacher is not None
  own = of_teacher(config, dataset)
  if own is not dataset and config.teacher.batch.whole:
    labels = len(labeled_of(config.teacher, own))
  return structure_of(config.teacher, own, labels)


def _batch_of(config: Config, dataset: Dataset, labels: int) -> BatchSize:
  if config.batch.whole:
    return BatchSize(labels, dataset.n_unlabeled, whole=True)
  return BatchSize(config.batch.labeled, config.batch.unlabeled)


def _shape_of(dataset: Dataset, reads_captions: bool) -> DataShape:
  prompts = dataset.prompts if reads_captions else None
  return DataShape(
    kind=dataset.kind,
    shape=read_shape(tuple(dataset.shape), dataset.kind),
    stored=() if dataset.graph else tuple(dataset.shape),
    classes=dataset.classes,
    train=dataset.n_train,
    unlabeled=dataset.n_unlabeled,
    images=dataset.n_images,
    is_subset=dataset.stream is not None,
    captions=None if dataset.captions is None else dataset.captions.shape[1:],
    prompts=None if prompts is None else _frozen(prompts.tolist()),
    graph=None if dataset.graph is None else sizes_of(dataset.graph),
    columns=dataset.columns,
  )


def _pattern(name: str, settings: Any) -> PatternPart:
  found = pattern.get(name)
  return PatternPart(freeze(found.structure(settings)), tuple(found.numbers(settings)))


def part(section: Mapping[str, Any]) -> Part:
  """A named section of a config."""
  return Part(section['name'], freeze({k: v for k, v in section.items() if k != 'name'}))


def freeze(tree: Mapping[str, Any]) -> Frozen:
  """A tree of settings that can be hashed."""
  return immutabledict({k: _frozen(v) for k, v in tree.items()})


def _frozen(value: Any) -> Any:
  if isinstance(value, Mapping):
    return freeze(value)
  return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def split_combinator(text: str) -> tuple[dict[str, Any], Part]:
  """A combinator's settings, such as of `'curriculum(5)'`, as (numbers, what is compiled)."""
  name, settings = combine.parse(text)
  schema = settings_of(combine.get(name))
  numbers = {k: v for k, v in settings.items() if schema[k].is_number}
  return numbers, Part(name, freeze({k: v for k, v in settings.items() if k not in numbers}))


def stride_of(config: Config) -> int:
  """Steps of one dispatch: as a pattern says, or 1 on the CPU, where a loop in a program is slow.

  Elsewhere it is the greatest common divisor of the intervals at which the host looks.
  """
  return _of_pattern(config) or (1 if jax.default_backend() == 'cpu' else longest_stride(config))


def longest_stride(config: Config) -> int:
  """Steps of one dispatch on an accelerator; training can stop at its multiples on every machine."""
  intervals = config.log_every, config.evaluate.every, config.checkpoint.every, config.steps
  return _of_pattern(config) or math.gcd(*intervals)


def _of_pattern(config: Config) -> int | None:
  """Steps of one dispatch where a pattern says so."""
  return next((n for name, own in config.patterns.items() if (n := pattern.get(name).stride(own))), None)
