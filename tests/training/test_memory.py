"""What does not fit into memory, and a factory that makes no net or method, is told before it runs."""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import flax.linen as nn
import jax
import numpy as np
import psutil
import pytest
from support.cli import ROOT

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.contract import Method
from ssl_bench.planning import make_plan
from ssl_bench.planning.build import method_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.plugins import files
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training import memory
from ssl_bench.training.program import compile_program

FIXMATCH = ROOT / 'configs/digits/fixmatch.yaml'


def structure(*words):
  config = load(FIXMATCH, ['dataset=fake', 'batch={labeled: 8, unlabeled_ratio: 2}', *words])
  return structure_of(config, data.load('fake'))


@pytest.mark.parametrize(
  ('words', 'count'),
  [
    # 64 pixels, two hidden layers with BatchNorm's scale and bias, a classifier of 10 classes
    (['net={name: mlp, widths: [65536, 65536]}'], 64 * 65536 + 65536**2 + 4 * 65536 + 65536 * 10 + 10),
    # 3x3 kernels from 1 channel to w, 2 w and 4 w
    (['net={name: convnet, width: 65536}'], 65536 * (9 + 14) + 9 * 10 * 65536**2 + 40 * 65536 + 10),
  ],
)
def test_a_net_without_room_is_told_with_its_size(words, count):
  with pytest.raises(BadSetting) as error:
    compile_program(structure(*words, 'ema=null', 'optimizer={name: sgd}'))
  text = str(error.value)
  assert f'The networks have {count:,} parameters' in text
  assert f'the memory at hand is {memory.at_hand():,} bytes' in text and '\n' not in text
  needed = int(text.split('needs ')[1].split(' bytes')[0].replace(',', ''))
  assert 8 * count < needed < 8.1 * count  # parameters and momentum, four bytes each, and little else


def test_so_is_one_of_clients(monkeypatch):
  monkeypatch.setattr(memory, 'at_hand', lambda: 1000)
  with pytest.raises(BadSetting, match=r'^The networks have [\d,]+ parameters, .* at hand is 1,000 bytes'):
    compile_program(
      structure('federated={clients: 2, local_steps: 5}', 'steps=10', 'net={name: mlp, widths: [3]}')
    )


def test_a_step_without_room_is_told(monkeypatch):
  """The state fits, and what one step needs beside it does not: the images alone are more."""
  words = ('method=supervised', 'augment={weak: none, strong: none}', 'ema=null')
  words += ('net={name: mlp, widths: [3]}', 'net.norm=none')
  state = 4 * 2 * (64 * 3 + 3 + 3 * 10 + 10)
  monkeypatch.setattr(memory, 'at_hand', lambda: state + 4096)
  with pytest.raises(
    BadSetting, match=r'^A step of this training needs [\d,]+ bytes .* at hand is [\d,]+ bytes'
  ):
    compile_program(structure(*words))


def test_bytes_of_a_tree_are_those_of_its_arrays():
  tree = {
    'a': np.zeros((3, 5), 'float32'),
    'b': [np.zeros(7, 'uint8'), jax.ShapeDtypeStruct((2, 2), 'int32')],
  }
  assert memory.size(tree) == 3 * 5 * 4 + 7 + 16


def test_a_container_may_have_less_than_the_machine(monkeypatch, tmp_path):
  whole = psutil.virtual_memory().total
  for text, there in [('123456\n', 123456), ('max\n', whole), (f'{2**63 - 4096}\n', whole)]:
    (tmp_path / 'memory.max').write_text(text)
    monkeypatch.setattr(memory, 'CGROUP', (tmp_path / 'nowhere', tmp_path / 'memory.max'))
    assert memory.at_hand() == there


def test_a_devices_own_memory_counts(monkeypatch):
  device = SimpleNamespace(platform='gpu', memory_stats=lambda: {'bytes_limit': 77})
  monkeypatch.setattr(jax, 'local_devices', lambda: [device])
  assert memory.at_hand() == 77


class Plain(nn.Module):
  @nn.compact
  def __call__(self, x, *, train):
    return x.reshape(len(x), -1)


def register(monkeypatch, kind, name, factory):
  """A factory of the user's own, as a plugin file of that name has it."""
  factory.__name__ = name
  loaded = files.Loaded(name, '', ModuleType(name), {kind: {name: factory}})
  monkeypatch.setitem(files._loaded, Path(f'{name}.{kind}'), loaded)


def test_a_net_that_is_a_plain_module_is_told(monkeypatch):
  def mine():
    return Plain()

  register(monkeypatch, 'nets', 'mine', mine)
  config = load(FIXMATCH, ['dataset=fake', 'net=mine'])
  with pytest.raises(BadSetting) as error:
    make_plan(config)
  assert str(error.value) == (
    'The factory of net mine must return a Net, not a value of type Plain; '
    'wrap a Flax module by ssl_bench.nets.core.from_linen(module).'
  )


@pytest.mark.parametrize(('made', 'told'), [(None, 'nothing'), ({}, 'a value of type dict')])
def test_a_method_or_a_combinator_that_makes_something_else_is_told(monkeypatch, made, told):
  def mine(encoder, classes):
    return made

  def change(method):
    return made

  register(monkeypatch, 'methods', 'mine', mine)
  register(monkeypatch, 'combine', 'change', change)
  for words, what in (['method=mine'], 'method mine'), (['combine=change'], 'combinator change'):
    config = load(FIXMATCH, ['dataset=fake', *words])
    with pytest.raises(
      BadSetting, match=rf'^The factory of {what} must return a Method, not {told}; end it by'
    ):
      method_of(structure_of(config, data.load('fake')))


def test_what_is_a_net_or_a_method_passes():
  parts = structure_of(load(FIXMATCH, ['dataset=fake', 'combine=curriculum']), data.load('fake'))
  assert isinstance(method_of(parts), Method)


def test_what_is_in_use_is_of_the_process_on_the_cpu_and_of_the_device_elsewhere(monkeypatch):
  found = memory.in_use()
  assert found['device'] == 'cpu:0' and found['limit'] == memory.at_hand()
  assert 0.5 < found['bytes'] / psutil.Process().memory_info().rss < 2
  told = {'bytes_in_use': 7, 'bytes_limit': 9}
  device = SimpleNamespace(platform='gpu', id=1, memory_stats=lambda: told)
  monkeypatch.setattr(jax, 'local_devices', lambda: [device])
  memory._device.cache_clear()
  try:
    assert memory.in_use() == {'device': 'gpu:1', 'bytes': 7, 'limit': 9}
    del told['bytes_in_use']
    assert memory.in_use() is None
  finally:
    memory._device.cache_clear()
