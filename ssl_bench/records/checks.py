"""Whether the parts of a record agree: its id, config, versions, labels and split."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from ssl_bench import data, measures, methods, plugins
from ssl_bench.config import Config, config_class, digest, outcome_of, to_dict
from ssl_bench.plugins.blame import named
from ssl_bench.records.form import Record, Tree, check_part
from ssl_bench.records.strict_json import words_for_nonfinite
from ssl_bench.settings.explain import explain
from ssl_bench.settings.signature import BadSetting

DECIDING = (
  'protocol',
  'method',
  'fingerprint',
  'combine',
  'teachers',
  'other_data',
)  # the versions that an id covers
AGREES = 1e-6  # by which an accuracy may differ from what bins or classes say
SIZES = ('hash', 'labeled', 'train', 'validation', 'test')  # what every split has


def check_agreement(tree: Mapping[str, Any], form: Record) -> None:
  """Raises `BadSetting` for a record of the right form whose parts contradict each other.

  The config has its own form and ranges, and names a method and a dataset that there are.  Settings of a
  method, a network or an optimizer are not checked against today's signatures: a record outlives them.
  """
  is_added = data.is_added_version(form.versions.dataset)
  chain = [_config(one, 'teacher: ' * depth, is_added) for depth, one in enumerate(_chain(tree['config']))]
  expected = digest(outcome_of(tree['config']), deciding(tree['versions']))
  if expected != tree['id']:
    raise BadSetting(f'{tree["id"]} does not match its own config: it should be {expected}; run it anew.')
  if tree['protocol'] != chain[0].protocol:
    raise BadSetting(f'protocol is {tree["protocol"]}, and that of its config is {chain[0].protocol}.')
  for name, wanted in (('combine', len(chain[0].combine)), ('teachers', len(chain) - 1)):
    if len(tree['versions'].get(name) or ()) != wanted:
      raise BadSetting(f'versions.{name} must have {wanted} entries, as many as its config.')
  if (form.status == 'done') != (form.error is None):
    told = 'no error' if form.status == 'done' else 'an error that says why'
    raise BadSetting(f'a trial that is {form.status} must have {told}.')
  _check_data(form, chain[0].dataset)
  _check_split(form, chain[0])
  if form.status == 'done':
    _check_labels_seen(form, chain)
  _check_measures(form)


def check_values(parts: Mapping[str, Any]) -> None:
  """Raises `BadSetting`, which names the measure, where `metrics` or `cost` hold what no record may.

  They are checked as a record writes them, in which a number that is not finite is a word.
  """
  for part in measures.PARTS:
    try:
      check_part(part, words_for_nonfinite(parts[part]))
    except ValidationError as error:
      first = error.errors(include_url=False)[0]
      path = (part, *map(str, first['loc']))
      names = [
        row.name for row in measures.all_measures() if row.function and row.path == path[: len(row.path)]
      ]
      who = named('measures', names[0]) if names else 'A measure'
      raise BadSetting(f'{who} gives what no record can hold: {sentence({**first, "loc": path})}.') from None


def deciding(versions: Mapping[str, Any]) -> Tree:
  return {k: v for k, v in versions.items() if k in DECIDING}


def _chain(config: Any) -> Iterator[Any]:
  """The config, its teacher's, and so on."""
  while config is not None:
    yield config
    config = config.get('teacher') if isinstance(config, Mapping) else None


def _config(tree: Any, where: str, is_added: bool) -> Config:
  """The typed config of a recorded one, which is written as `to_dict` writes it.

  A dataset that a user added (`is_added`) need not be here.
  """
  model, known = config_class(), tree
  if isinstance(tree, Mapping) and tree.get('plugins'):  # a pattern of a plugin need not be here
    known = {k: v for k, v in tree.items() if k in model.model_fields or not isinstance(v, Mapping)}
  try:
    config = model.model_validate(known)
  except ValidationError as error:
    raise BadSetting(f'config: {where}{explain(error.errors(), known, model)}') from None
  if to_dict(config) != known:
    raise BadSetting(f'config: {where}it is not written out as `train` writes it.')
  for section in ('method', 'net', 'optimizer'):
    name = getattr(config, section).get('name')
    if not isinstance(name, str):
      raise BadSetting(f'config: {where}{section}.name must be text, not {name!r}.')
  # What a plugin holds need not be here; its name is a word all the same.
  if not (config.plugins and config.method['name'].isidentifier()):
    _check_method(config.method['name'])
  if not (config.plugins and config.dataset.isidentifier()) and not is_added:
    _check_dataset(config.dataset)
  return config


@lru_cache(1024)  # what raises is not kept
def _check_method(name: str) -> None:
  if name not in methods.names():
    raise plugins.unknown('methods', name)


@lru_cache(1024)
def _check_dataset(name: str) -> None:
  data.check_name(name)


def _check_data(form: Record, dataset: str) -> None:
  """Raises `BadSetting` where the versions are of another dataset; a synthetic one has several names."""
  told = form.versions.dataset
  if told and not dataset.startswith('fake') and not told.startswith(f'{dataset}/'):
    raise BadSetting(f'versions.dataset is {told}, and its config is on {dataset}.')


def _check_split(form: Record, config: Config) -> None:
  """Raises `BadSetting` unless labels, config.labels and the split's sizes agree."""
  split, labels = form.split, form.labels
  for name in SIZES if form.status == 'done' else ():
    if getattr(split, name) is None:
      raise BadSetting(f'a trial that is done must have split.{name}.')
  if split.hash is None and form.status != 'done' and not labels:
    return  # it failed before the split was known
  if not labels:
    raise BadSetting('labels is 0, and its trial had labels.')
  if isinstance(config.labels, int) and labels != config.labels:
    raise BadSetting(f'labels is {labels}, and that of its config is {config.labels}.')
  if split.labeled not in (None, labels):
    raise BadSetting(f'labels is {labels}, and split.labeled is {split.labeled}.')
  if split.train is not None and labels > split.train:
    raise BadSetting(f'labels is {labels}, more than split.train, which is {split.train}.')
  if isinstance(config.labels, float) and split.train is not None and _drawn_from_all(config):
    wanted = round(config.labels * split.train)
    if labels != wanted:
      raise BadSetting(f'labels is {labels}, and {config.labels:g} of split.train is {wanted}.')
  if split.wrong is not None and split.wrong > labels:
    raise BadSetting(f'split.wrong is {split.wrong}, more than the {labels} labels.')


def _drawn_from_all(config: Config) -> bool:
  """Whether a fraction of labels is one of the whole training part."""
  return config.fold is None and not (config.stress and config.stress.mismatch is not None)


def _check_labels_seen(form: Record, chain: list[Config]) -> None:
  """Raises `BadSetting` where the configs tell which labels were seen, and the record says otherwise."""
  drawn = {(one.dataset, one.labels, one.split_seed, one.fold) for one in chain}
  known = 'all' if any(one.text_net for one in chain) else 'trial' if len(drawn) == 1 else None
  if known not in (None, form.labels_seen):
    raise BadSetting(f'labels_seen is {form.labels_seen}, and by its config it is {known}.')


def _check_measures(form: Record) -> None:
  """Raises `BadSetting` where measures of the same test images contradict each other."""
  accuracy, test = form.metrics.get('accuracy'), form.split.test
  rows = measures.by_name()
  for name, value in form.metrics.items():
    row = rows[name]
    where = '.'.join(row.path)
    if row.values == 'bins':
      _check_bins(value, where, test, accuracy)
    ends = [value] if row.values == 'interval' else value if row.values == 'intervals' else []
    if not all(one is None or _is_interval(one) for one in ends):
      raise BadSetting(f'{where} must be two numbers, the lower first.')
    if row.values == 'curve' and len(set(map(len, value.values()))) > 1:
      raise BadSetting(f'{where} has lists of different lengths.')
    if row.values == 'matrix':
      _check_matrix(value, where, test)
  known = [share for share in form.metrics.get('accuracy_by_class', ()) if share is not None]
  if known and accuracy is not None and not min(known) - AGREES <= accuracy <= max(known) + AGREES:
    raise BadSetting(f'metrics.accuracy is {accuracy:g}, outside of metrics.accuracy_by_class.')


def _check_bins(bins: Tree, where: str, test: int | None, accuracy: float | None) -> None:
  """Raises `BadSetting` unless a reliability diagram is of the test part and of the recorded accuracy."""
  if len({len(bins[name]) for name in ('count', 'confidence', 'accuracy')}) > 1:
    raise BadSetting(f'{where} has lists of different lengths.')
  if test is not None and sum(bins['count']) != test:
    raise BadSetting(f'{where} is of {sum(bins["count"])} images, and split.test is {test}.')
  right = sum(n * (share or 0) for n, share in zip(bins['count'], bins['accuracy']))
  if accuracy is not None and test and abs(right / test - accuracy) > AGREES:
    raise BadSetting(f'metrics.accuracy is {accuracy:g}, and {right / test:g} by {where}.')


def _check_matrix(rows: list[list[int]], where: str, test: int | None) -> None:
  """Raises `BadSetting` unless a confusion matrix is square and of the test part."""
  if any(len(row) != len(rows) for row in rows):
    raise BadSetting(f'{where} must have as many columns as rows.')
  if test is not None and (seen := sum(map(sum, rows))) != test:
    raise BadSetting(f'{where} is of {seen} images, and split.test is {test}.')


def _is_interval(ends: list[float | None]) -> bool:
  known = [end for end in ends if end is not None]
  return len(ends) == 2 and known == sorted(known)


_PLAIN = {  # how pydantic says it -> how a record's reader says it
  r'a valid dictionary or instance of \w+|a valid dictionary': 'an object of names and values',
  'a valid integer': 'a whole number',
  'a valid number': 'a number',
  'a valid string': 'text',
  'a valid list': 'a list',
  'a valid boolean': 'true or false',
  r'-0\.0+1\b': '0',
  r'\.0+1\b': '',
}


def sentence(error: Mapping[str, Any]) -> str:
  """A complaint of pydantic's on a record, without the last point."""
  where = '.'.join(str(part) for part in error['loc']) or 'the file'
  if error['type'] == 'extra_forbidden':
    return f'there is no {where[:80]!r} in a record'
  if error['type'] == 'missing':
    return f'{where} is missing'
  said = error['msg'].removeprefix('Value error, ').removesuffix('.')
  if said.startswith('Input should'):
    said = said.replace('Input should be', 'must be').replace('Input should have', 'must have')
    for form, plain in _PLAIN.items():
      said = re.sub(form, plain, said)
    seen = repr(error['input'])
    said += f', not {seen}' if len(seen) <= 60 else ''
  return f'{where[:200]} {said}'
