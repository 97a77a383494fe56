"""A plugin's method has a short name as its config; a slip in a path is answered with what is near."""

import pytest

from ssl_bench.config import load
from ssl_bench.plugins import files
from ssl_bench.settings.signature import BadSetting

FILE = """
from ssl_bench.methods.pseudo_labels.fixmatch import fixmatch


def agreement(encoder, classes, *, threshold: float = 0.5):
  return fixmatch(encoder, classes, threshold=threshold)


PLUGINS = {'methods': [agreement]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'configs/stripes').mkdir(parents=True)
  (tmp_path / 'mine.py').write_text(FILE)
  (tmp_path / 'configs/stripes/_protocol.yaml').write_text(
    'plugins: [../../mine.py]\ndataset: fake\nlabels: 20\nsteps: 5\nnet: mlp\noptimizer: sgd\n'
    'augment: {weak: none, strong: none}\n'
  )
  yield
  files.forget()


@pytest.mark.parametrize('name', ['stripes/agreement', 'configs/stripes/agreement.yaml'])
def test_a_method_of_the_folders_plugins_needs_no_file(name):
  assert load(name).method == {'name': 'agreement', 'threshold': 0.5}


@pytest.mark.parametrize(
  'path', ['configs/stripes/agrement.yaml', 'configs/stripse/agreement.yaml', 'configs/stripes/agreement']
)
def test_a_slip_is_answered_from_the_folder_that_is_meant(path):
  with pytest.raises(BadSetting, match=r"did you mean 'configs/stripes/agreement\.yaml'"):
    load(path)


def test_far_from_everything_nothing_is_suggested():
  with pytest.raises(BadSetting, match='name a file, or one that is shipped'):
    load('qqqqqqq/zzzzzz')
