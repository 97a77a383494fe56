"""The checks of a plan: whether nets, policies, batches, patterns and the method fit the data.

Each raises `BadSetting` with one sentence.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax

from ssl_bench import optim, pattern
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.kinds import kind_of
from ssl_bench.planning import numbers, states
from ssl_bench.planning.batch import check_batch
from ssl_bench.planning.build import make_net, method_of
from ssl_bench.planning.policies import check_policies
from ssl_bench.planning.small_batches import check_small_batches
from ssl_bench.planning.stages import check_stages
from ssl_bench.planning.structure import Structure, part
from ssl_bench.planning.traced import check_plugins
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.planning import Plan


def check_plan(plan: 'Plan') -> None:
  """Every check of one training; its teachers are checked where they are planned."""
  config, structure = plan.config, plan.structure
  method = method_of(structure)
  kind = kind_of(structure.data.kind)
  if method.kinds and kind.name not in method.kinds:
    name, dataset = structure.method.name, plan.dataset.name
    *others, last = (kind_of(one).plural for one in method.kinds)
    learns = f'{", ".join(others)} and {last}' if others else last
    raise BadSetting(
      f'{name} learns from {learns}, and {dataset} has {kind.plural}; use a method such as simclr.'
    )
  for name in config.patterns:
    if structure.data.graph:
      raise BadSetting(f'{plan.dataset.name} is one graph, whose nodes are not apart; leave {name} out.')
    if structure.batch.whole:
      raise BadSetting(f'batch.whole lets one learner see everything; leave it out, or leave {name} out.')
  check_batch(structure)
  check_plugins(plan)
  check_policies(structure, method.views)
  check_groups(structure)
  for name in config.patterns:
    pattern.get(name).check(plan)
  check_stages(config, structure, method)
  if config.early_stop:
    check_early_stop(plan)
  check_small_batches(plan)


def check_early_stop(plan: 'Plan') -> None:
  """What stops early has steps to stop, one training, and an accuracy on the validation part."""
  name, method = plan.structure.method.name, method_of(plan.structure)
  if method.loss is None:
    raise BadSetting(f'{name} takes no steps; leave early_stop out.')
  if not plan.uses_labels:
    raise BadSetting(
      f'{name} sees no labels, so it has no validation accuracy to stop by; leave early_stop out.'
    )
  if method.trainings > 1:
    raise BadSetting(
      f'{name} trains {method.trainings} times in turn, each from a low accuracy; leave early_stop out.'
    )


def check_kinds(config: Config, dataset: Dataset) -> None:
  """A net must read the kind of data that there are, and a method that reads captions must find some."""
  if config.text_net and (dataset.captions is None or dataset.prompts is None):
    method = config.method['name']
    raise BadSetting(f'{method} reads captions, and {dataset.name} has none; use dataset=digits_captions.')
  sections: Mapping[str, tuple[Any, str]] = {'net': (config.net, dataset.kind)}
  if config.text_net:
    sections = {**sections, 'text_net': (config.text_net, 'tokens')}
  for name, (section, kind) in sections.items():
    if kind not in (reads := make_net(part(section)).kinds):
      read, there = ' or '.join(kind_of(one).plural for one in reads), kind_of(kind)
      raise BadSetting(
        f'{name} {section["name"]} reads {read}, and these are {there.plural}; use another, such '
        f'as {name}={there.net}.'
      )


def check_probes(plan: 'Plan') -> None:
  """A method without a classifier needs a probe to be judged by, and a probe needs labels."""
  if plan.dataset.classes == 1:
    _check_unlabeled(plan)
  elif method_of(plan.structure).predict is None and 'linear' not in plan.config.evaluate.probes:
    raise BadSetting(
      f'{plan.structure.method.name} has no classifier of its own; add linear to evaluate.probes, which are '
      f'{list(plan.config.evaluate.probes)}.'
    )


def _check_unlabeled(plan: 'Plan') -> None:
  """On a set without labels there is pretraining alone: no loss reads labels, and no probe is fitted."""
  name, method = plan.dataset.name, plan.structure.method.name
  if plan.uses_labels:
    raise BadSetting(
      f'{name} has no labels, and {method} learns from labels; use a method that needs none, such as simclr, '
      'or add the labels.'
    )
  if plan.config.evaluate.probes:
    raise BadSetting(
      f'{name} has no labels for {", ".join(plan.config.evaluate.probes)}; write evaluate.probes=[] to '
      'pretrain alone, and probe the features on a set with labels.'
    )


def check_groups(structure: Structure) -> None:
  """The optimizer's groups must name parameters that there are.

  The parameters are traced where that alone shows what else may not fit: those of a teacher, and a net that
  takes images of one size only where small crops are asked for.
  """
  small = any(view.augment == 'local' for view in method_of(structure).views.values())
  groups = structure.optimizer['groups']
  if len(groups) == 1 and structure.teacher is None and not small:
    return
  params, *_ = states.at_start(structure, numbers.shapes(structure, jax.ShapeDtypeStruct))
  optim.check_groups(groups, params)
