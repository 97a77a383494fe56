"""Transfer: probes of the frozen encoder on other sets, of each that `evaluate.transfer` names."""

from collections.abc import Callable
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation.probes import DRAWS, NEIGHBORS, SHOTS
from ssl_bench.measures import ABSENT, Measure
from ssl_bench.settings import plural

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained
  from ssl_bench.evaluation.transfer import Probed

SOURCE = (
  'Kornblith et al. 2019, "Do Better ImageNet Models Transfer Better?", for the idea; see docs/transfer.md'
)
FORGETTING = 'Chaudhry et al. 2018, "Riemannian Walk for Incremental Learning", its measure of forgetting'
OTHERS = 'mean over the sets that evaluate.transfer names, without the own'
Read = Callable[['Probed'], float]


def _mean_of(k: int) -> Read:
  return lambda probed: probed.few[k].mean


PROBES: dict[str, tuple[str, str, Read]] = {  # name -> title, what it is, how it is read
  'linear': ('linear', 'linear probe with all labels of the set', lambda probed: probed.linear),
  'knn': ('kNN', f'cosine neighbors, k = {NEIGHBORS}', lambda probed: probed.knn),
  **{
    f'few_{k}': (
      f'{k} a class',
      f'linear probe with {plural.count(k, "label")} a class, mean over {DRAWS} draws',
      _mean_of(k),
    )
    for k in SHOTS
  },
}


def _by_set(value: Read, weights: str) -> 'Callable[[Trained], Any]':
  """Set -> what a probe makes of the trained encoder, or of random weights."""

  def function(t: 'Trained') -> Any:
    return {name: value(getattr(found, weights)) for name, found in t.transferred.items()} or ABSENT

  return function


def _over_others(value: 'Callable[[Any], float]') -> 'Callable[[Trained], Any]':
  """The mean over all sets but the trial's own."""

  def function(t: 'Trained') -> Any:
    found = [value(one) for name, one in t.transferred.items() if name != t.config.dataset]
    return fmean(found) if found else ABSENT

  return function


def _at_home(k: int) -> 'Callable[[Trained], Any]':
  """A few-shot probe on the trial's own set, where it is named."""

  def function(t: 'Trained') -> Any:
    own = t.transferred.get(t.config.dataset)
    return own.trained.few[k].mean if own else ABSENT

  return function


def _forgotten(t: 'Trained') -> Any:
  """Set -> forgetting, of the named sets on which an encoder that training began with was trained."""
  lost = {name: one.forgetting for name, one in t.transferred.items() if name != t.config.dataset}
  return {name: value for name, value in lost.items() if value is not None} or ABSENT


def _rows_of(name: str, title: str, what: str, value: Read) -> tuple[Measure, ...]:
  """Each set's accuracy, of the trained encoder and of random weights, and the mean over sets."""
  share: dict[str, Any] = {'unit': '%', 'digits': -1, 'better': 'higher', 'source': SOURCE}
  path = ('metrics', 'transfer')
  return (
    Measure(
      f'transfer_{name}_by_set',
      (*path, name),
      f'transfer by set, {title}',
      _by_set(value, 'trained'),
      hint=f'accuracy on the test part of each set: {what}',
      values='by_name',
      range=(0, 1),
      **share,
    ),
    Measure(
      f'transfer_{name}_of_random',
      (*path, 'random', name),
      f'random weights by set, {title}',
      _by_set(value, 'random'),
      hint=f'the same of the net under the random weights of the seed: {what}',
      values='by_name',
      range=(0, 1),
      **share,
    ),
    Measure(
      f'transfer_{name}',
      (*path, 'mean', name),
      f'transfer, {title}',
      _over_others(lambda found: value(found.trained)),
      hint=f'{what}, {OTHERS}',
      table='transfer',
      range=(0, 1),
      **share,
    ),
  )


def _few_rows(k: int) -> tuple[Measure, ...]:
  """How sure a few-shot probe is, and what it is worth on the trial's own set."""
  of_set = {
    'transfer': ('trained', f'transfer by set, {k} a class, ±', (f'few_{k}_half',)),
    'random': ('random', f'random weights by set, {k} a class, ±', ('random', f'few_{k}_half')),
  }
  half = lambda probed: probed.few[k].half_width
  return (
    *(
      Measure(
        f'{name}_few_{k}_half',
        ('metrics', 'transfer', *path),
        title,
        _by_set(half, weights),
        unit='%',
        hint=f'half width of the 95 % interval over {DRAWS} draws of the labels',
        digits=-1,
        values='by_name',
        range=(0, None),
      )
      for name, (weights, title, path) in of_set.items()
    ),
    Measure(
      f'few_shot_{k}',
      ('metrics', 'few_shot', str(k)),
      f'few-shot, {k} a class',
      _at_home(k),
      unit='%',
      hint=f'linear probe with {k} labels a class of the own set, mean over {DRAWS} draws',
      digits=-1,
      table='transfer',
      better='higher',
      values='share',
    ),
  )


MEASURES = (
  *(row for name, of in PROBES.items() for row in _rows_of(name, *of)),
  Measure(
    'transfer_gain',
    ('metrics', 'transfer', 'mean', 'gain'),
    'transfer, gain',
    _over_others(lambda found: found.trained.linear - found.random.linear),
    unit='points',
    hint=f'linear probe minus that of the same net under random weights, {OTHERS}',
    digits=1,
    table='transfer',
    better='higher',
    range=(-1, 1),
  ),
  Measure(
    'forgetting_by_set',
    ('metrics', 'transfer', 'forgetting'),
    'forgetting by set',
    _forgotten,
    unit='points',
    hint='on sets of earlier training: best linear probe of the encoders before, minus that of this one',
    source=FORGETTING,
    digits=1,
    values='by_name',
    range=(-1, 1),
  ),
  Measure(
    'forgetting',
    ('metrics', 'transfer', 'mean', 'forgetting'),
    'forgetting',
    lambda t: fmean(found.values()) if (found := _forgotten(t)) is not ABSENT else ABSENT,
    unit='points',
    hint='the same, mean over those sets; below 0 more was learned than lost',
    source=FORGETTING,
    digits=1,
    table='transfer',
    better='lower',
    range=(-1, 1),
  ),
  *(row for k in SHOTS for row in _few_rows(k)),
)
