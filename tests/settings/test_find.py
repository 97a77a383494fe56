"""Names of configs and grids: the path, then the working folder, then what comes with the package."""

import shutil
from pathlib import Path

import pytest
from support.cli import ROOT, write_configs

from ssl_bench.config import digest, load, outcome
from ssl_bench.grid.expand import expand
from ssl_bench.settings import find as finding
from ssl_bench.settings.find import find, shipped
from ssl_bench.settings.signature import BadSetting


@pytest.fixture
def here(tmp_path, monkeypatch):
  """A working folder with nothing in it."""
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.fixture
def installed(tmp_path_factory, monkeypatch):
  """The package's folder as a wheel lays it: what is shipped stands inside."""
  package = tmp_path_factory.mktemp('site') / 'ssl_bench'
  for name in ('configs', 'experiments'):
    shutil.copytree(ROOT / name, package / 'shipped' / name)
  monkeypatch.setattr(finding, 'PACKAGE', package)
  return package / 'shipped'


def test_a_checkout_ships_its_own_files():
  assert shipped('configs') == ROOT / 'configs'
  assert shipped('leaderboard/published.csv').is_file()


def test_an_installed_package_ships_what_stands_in_it(installed, here):
  assert find(Path('digits/fixmatch'), 'config') == installed / 'configs/digits/fixmatch.yaml'
  assert load('digits/fixmatch', ['seed=3']) == load(ROOT / 'configs/digits/fixmatch.yaml', ['seed=3'])
  assert expand('quickstart') == expand(ROOT / 'experiments/quickstart.yaml')


def test_a_grid_of_ones_own_stands_on_shipped_configs(installed, here):
  (here / 'mine.yaml').write_text('base: configs/digits\nblocks: [{method: [supervised, fixmatch]}]')
  assert [config.method['name'] for config in expand('mine.yaml').configs] == ['supervised', 'fixmatch']


def test_a_name_is_looked_for_in_the_working_folder_first(installed, here):
  write_configs(here / 'configs/digits')
  assert load('digits/fixmatch').method['threshold'] == 0.3
  assert load('digits/byol') == load(here / 'configs/digits/byol.yaml')  # the method on its defaults
  assert load('mnist/vat') == load(ROOT / 'configs/mnist/vat.yaml')
  (here / 'experiments').mkdir()
  (here / 'experiments/quickstart.yaml').write_text('base: configs/digits\nblocks: [{method: supervised}]')
  assert len(expand('quickstart').configs) == 1


def test_a_path_that_is_there_wins_over_a_name(here):
  write_configs(here / 'digits')
  write_configs(here / 'configs/digits', fixmatch='method: {name: fixmatch, threshold: 0.5}')
  (here / 'digits/fixmatch').write_text('method: {name: fixmatch, threshold: 0.7}')
  assert load('digits/fixmatch').method['threshold'] == 0.7
  assert load('digits/fixmatch.yaml').method['threshold'] == 0.3
  (here / 'digits/fixmatch').unlink()
  assert load('digits/fixmatch').method['threshold'] == 0.5


def test_a_method_on_its_defaults_has_a_shipped_name(here):
  assert not (ROOT / 'configs/digits/rotation.yaml').exists()
  assert load('digits/rotation') == load(ROOT / 'configs/digits/rotation.yaml')


@pytest.mark.parametrize(
  ('kind', 'path', 'sentence'),
  [
    ('config', 'digits/fixmach', "There is no config 'digits/fixmach'; did you mean 'digits/fixmatch'?"),
    ('config', 'configs/digits/vat.yaml', "'configs/digits/vat.yaml'; did you mean 'digits/vat'?"),
    ('config', 'mine/tuend', "There is no config 'mine/tuend'; did you mean 'mine/tuned'?"),
    ('config', 'tuned', "There is no config 'tuned'; did you mean 'mine/tuned'?"),
    ('config', '../digits/vat', "There is no config '../digits/vat'; did you mean 'digits/vat'?"),
    ('config', 'mnist', "'mnist' is a folder, not a config; choose from mnist/distill, mnist/label_prop"),
    ('grid', 'quikstart', "There is no grid 'quikstart'; did you mean 'quickstart'?"),
    ('grid', 'mein', "There is no grid 'mein'; did you mean 'mine'?"),
    (
      'grid',
      'x/y.yaml',
      "There is no grid 'x/y.yaml'; name a file, or one that is shipped such as 'quickstart'.",
    ),
  ],
)
def test_a_name_that_nothing_has_is_told_the_nearest_of_both_places(installed, here, kind, path, sentence):
  write_configs(here / 'configs/mine', tuned='method: supervised')
  (here / 'experiments').mkdir()
  (here / 'experiments/mine.yaml').write_text('base: configs/mine\nblocks: [{method: supervised}]')
  with pytest.raises(BadSetting) as error:
    {'config': load, 'grid': expand}[kind](path)
  assert sentence in str(error.value)


def test_a_base_may_lie_in_a_folder_beside(here):
  one, other = write_configs(here / 'configs/one'), write_configs(here / 'configs/other', steps='77')
  (one / 'shared.yaml').write_text('{method: {name: fixmatch, threshold: 0.5}, optimizer: {lr: 0.5}}')
  (other / 'mine.yaml').write_text('{base: ../one/shared.yaml, optimizer: {lr: 0.25}}')
  config = load('other/mine')
  assert (config.method['threshold'], config.optimizer['lr']) == (0.5, 0.25)
  (here / 'shared.yaml').write_text('method: fixmatch')
  for base in ('../../shared.yaml', str(here / 'shared.yaml'), '../one', '../../one/shared.yaml', '..', '.'):
    (other / 'mine.yaml').write_text(f'base: {base}')
    with pytest.raises(BadSetting, match=r'base must name another file in .*, or in a folder beside it'):
      load('other/mine')


def test_no_shipped_config_is_the_copy_of_another():
  """Where two datasets share a recipe, one names the other as its `base`."""
  seen = {}
  for path in sorted((ROOT / 'configs').glob('*/*.yaml')):
    text = path.read_text('utf-8')
    if not text.splitlines()[-1].startswith('base: '):
      assert seen.setdefault(text, path) == path


DIGESTS = ROOT / 'tests/settings/config_digests.txt'


def test_the_digest_of_every_shipped_config_is_pinned():
  """Where one moves, its records lose their identity; one without records may move, and its line with it."""
  pinned = dict(line.split() for line in DIGESTS.read_text('utf-8').splitlines() if line[0] != '#')
  assert len(pinned) > 90
  assert {name: digest(outcome(load(ROOT / 'configs' / f'{name}.yaml'))) for name in pinned} == pinned
