"""A config against the signatures that it names: what there is, what goes together, defaults written out."""

from collections.abc import Mapping, Sequence
from typing import Any

from ssl_bench import methods, pattern, plugins
from ssl_bench.plugins.used import packages_in
from ssl_bench.settings.added import written
from ssl_bench.settings.sections import ATTACKS, SHIFTS, Config, Stress
from ssl_bench.settings.signature import BadSetting, check, needs, parse_call, short, suggest

POLICIES = ('weak', 'strong')  # what a view can name
FURTHER = ('other', 'local')  # what else it can: a second global view (by default `strong`), and small crops


def resolve(config: Config) -> Config:
  """Checks names and settings against the signatures they belong to, and writes out the defaults."""
  from ssl_bench import augment, combine, data, nets, optim

  data.check_name(config.dataset)
  for need in POLICIES:
    if need not in config.augment:
      raise BadSetting(f'augment needs a policy named {need!r}, such as augment.{need}=none.')
  for name in config.augment:
    if name not in POLICIES + FURTHER:
      raise BadSetting(f'There is no policy {short(name)} in augment; {suggest(name, POLICIES + FURTHER)}')
  for text in config.augment.values():
    augment.parse(text)
  if config.stress is not None:
    _check_stress(config.stress)
  if isinstance(config.labels, float) and config.labels > 1:
    raise BadSetting(f'labels is a count or a fraction up to 1, not {config.labels}.')
  for name in {**config.patterns, **(config.teacher.patterns if config.teacher else {})}:
    pattern.get(name).check_config(config)
  method = _named('method', config.method, methods.get)
  _check_teacher(method['name'], config)
  _check_text(method['name'], config.text_net)
  combined = combine.resolve(config.combine)
  _check_combined(combined)
  for probe in config.evaluate.probes:
    plugins.get('probes', probe)
  for name in config.evaluate.shifts:
    if name not in SHIFTS:
      raise BadSetting(f'There is no shift {short(name)} in evaluate.shifts; {suggest(name, list(SHIFTS))}')
  for name in config.evaluate.privacy:
    if name not in ATTACKS:
      raise BadSetting(
        f'There is no attack {short(name)} in evaluate.privacy; {suggest(name, list(ATTACKS))}'
      )
  for name in config.evaluate.transfer:
    data.check_name(name)
  config = config.model_copy(
    update={
      'method': method,
      'net': _named('net', config.net, nets.get),
      'text_net': None if config.text_net is None else _named('text_net', config.text_net, nets.get),
      'optimizer': optim.check_optimizer(config.optimizer),
      'combine': combined,
      'stress': None if config.stress == Stress() else config.stress,
    }
  )
  packages = dict.fromkeys((*config.plugins, *packages_in(config)))
  return config.model_copy(update={'plugins': tuple(packages)})


def _check_combined(texts: Sequence[str]) -> None:
  """Raises `BadSetting` where a combinator stands over itself."""
  found = [parse_call(text)[0] for text in texts]
  for name in found:
    if found.count(name) > 1:
      raise BadSetting(f'combine names {name} twice; leave one of them out.')


def _check_teacher(method: str, config: Config) -> None:
  """Raises `BadSetting` where what needs a teacher has none, or where there is one without a use."""
  needed, teacher, begins = needs(methods.get(method), 'teacher'), config.teacher, config.init == 'teacher'
  if begins and not teacher:
    raise BadSetting(
      'init=teacher needs a teacher, a trial that is trained first, such as teacher={config: simclr.yaml}.'
    )
  if teacher and needed is None and not begins:
    raise BadSetting(
      f'{method} has no use for a teacher; leave it out, or write teacher=null. '
      'To begin with its encoder, write init=teacher.'
    )
  if teacher and teacher.dataset != config.dataset and (needed is not None or not begins):
    raise BadSetting(
      f"teacher: its dataset must be the student's, {config.dataset!r}, not {teacher.dataset!r}. "
      'What only begins with its encoder, such as supervised with init=teacher, may have one of another set.'
    )
  if teacher and (teacher.stress or Stress()) != (config.stress or Stress()):
    raise BadSetting("teacher: its stress must be the student's; leave it out.")
  if not teacher and needed:
    raise BadSetting(
      f'{method} needs a teacher, a trial that is trained first, such as '
      'teacher={config: fixmatch.yaml} or teacher={method: fixmatch}.'
    )


def _check_stress(stress: Stress) -> None:
  from ssl_bench import augment, data

  if stress.mismatch is not None and stress.imbalance is not None:
    raise BadSetting('stress: mismatch and imbalance both say which classes there are; leave one out.')
  if stress.anomaly is not None and (stress.mismatch is not None or stress.imbalance is not None):
    raise BadSetting(
      'stress: anomaly takes a class away, as mismatch and imbalance do; leave the others out.'
    )
  if isinstance(stress.unlabeled, float) and stress.unlabeled > 1:
    raise BadSetting(f'stress.unlabeled is a count or a fraction up to 1, not {stress.unlabeled}.')
  if stress.shift is not None:
    augment.parse(stress.shift)
  if stress.target is not None:
    data.check_name(stress.target)
    if beside := [name for name in stress.model_dump() if name not in ('target', 'label_noise')]:
      raise BadSetting(f'stress: target says which images are without labels; leave {beside[0]} out.')


def _check_text(method: str, text_net: Any) -> None:
  """Raises `BadSetting` where a method that reads captions has no net for them, or another method has one."""
  reads = needs(methods.get(method), 'text_encoder') is not None
  if text_net and not reads:
    raise BadSetting(f'{method} reads no captions; leave text_net out, or write text_net=null.')
  if reads and not text_net:
    raise BadSetting(f'{method} reads captions and needs a net for them, such as text_net=sequence.')


def _named(section: str, tree: Mapping[str, Any], get) -> dict[str, Any]:
  if 'name' not in tree:
    raise BadSetting(f'{section} needs a name, such as {section}={{name: …}}.')
  given = {k: v for k, v in tree.items() if k != 'name'}
  factory = get(tree['name'])
  return {'name': tree['name'], **written(factory, check(factory, given, f'{section} {tree["name"]}'))}
