"""A sweep as others left it: what it has to do, and claims of processes that are gone."""

import json
from pathlib import Path

from support.cli import write_configs

from ssl_bench import data
from ssl_bench.grid.expand import Grid, expand
from ssl_bench.grid.run import plan
from ssl_bench.grid.survey import survey
from ssl_bench.trial.claims import Claims

CRASHES = """
from pathlib import Path
from ssl_bench.pattern import Pattern
from ssl_bench.settings.sections import Section


class Crashes(Section):
  'Training whose worker crashes as often as a file beside this one says.'


def describe(plan):
  path = Path(__file__).with_name('crashes.txt')
  if plan.config.seed == 1 and (left := int(path.read_text())):
    path.write_text(str(left - 1))
    raise ValueError('its fault,\\nas far as anybody knows')
  return {}


PLUGINS = {'patterns': [Pattern('crashes', Crashes, describe=describe)]}
"""


def crashing_grid(folder: Path, times: int) -> str:
  """What a grid file of a folder adds to crash, so often, whoever runs a trial of seed 1."""
  (folder / 'crashes.py').write_text(CRASHES)
  (folder / 'crashes.txt').write_text(str(times))
  return 'plugins: [crashes.py]\nset: {crashes: {}, net.norm: none}\n'


def grid_of(folder: Path, text: str, protocol: str = '') -> Grid:
  """The grid small.yaml of a folder, whose text is this, over tiny configs."""
  write_configs(folder / 'configs', protocol)
  (folder / 'small.yaml').write_text(text)
  return expand(folder / 'small.yaml')


def planned(grid, run_folder):
  return plan(grid.name, survey(grid.configs, run_folder, {'fake': data.load('fake')}), run_folder, {})


def write_claim(run_folder, task, number, end=None, machine='far away', **note):
  """The claim of a process that has ended, on a machine of that name."""
  owner = {'host': 'far', 'machine': machine, 'pid': 2**30, 'process': '1', 'since': ''}
  path = run_folder.path / f'claims/{task.training}.{number}'
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps({'owner': owner, 'beat': 0, 'end': end, 'note': note}))


def die_at(run_folder, task, number):
  """A worker of this machine has died at a task."""
  claims = Claims(run_folder.path / 'claims')
  assert claims.take(task.training)
  own = claims.newest(task.training).owner['machine']
  claims._held.clear()
  write_claim(run_folder, task, number, machine=own)
