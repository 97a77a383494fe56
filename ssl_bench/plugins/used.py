"""Which names a config uses, by kind, and which installed packages they are of."""

from collections.abc import Iterator

from ssl_bench import plugins
from ssl_bench.settings.sections import Config
from ssl_bench.settings.signature import parse_call


def names_in(config: Config) -> Iterator[tuple[str, str]]:
  """(kind, name) of everything that a checked config asks for by name, its teacher's left out."""
  yield 'datasets', config.dataset
  yield 'methods', config.method['name']
  for text in config.combine:
    yield 'combine', parse_call(text)[0]
  for net in (config.net, config.text_net):
    if net:
      yield 'nets', net['name']
  yield 'optimizers', config.optimizer['name']
  for settings in (config.optimizer, *config.optimizer['groups'].values()):
    yield 'schedules', parse_call(settings['schedule'])[0]
  shift = config.stress.shift if config.stress else None
  for policy in (*config.augment.values(), *([shift] if shift else [])):
    for part in policy.split('|'):
      yield 'augment', parse_call(part)[0]
  for probe in config.evaluate.probes:
    yield 'probes', probe
  for name in config.patterns:
    yield 'patterns', name


def packages_in(config: Config) -> tuple[str, ...]:
  """The installed packages of the names that a config uses, sorted."""
  found = {plugins.package_of(kind, name) for kind, name in names_in(config)}
  return tuple(sorted(package for package in found if package))


def modules_in(config: Config) -> list[str]:
  """The modules of plugins, of packages and of files, that hold what a config uses; sorted."""
  outside = {(kind, name) for kind, name in names_in(config) if name in plugins.outside_names(kind)}
  return sorted({plugins.module_of(kind, name) for kind, name in outside})
