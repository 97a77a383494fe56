"""The README is true: its method runs as it stands, its commands and files exist."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

from ssl_bench import config as configs
from ssl_bench import data, methods
from ssl_bench.grid.expand import expand
from ssl_bench.train.program import compile_program
from ssl_bench.train.structure import arrays_of, numbers_of, structure_of

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def indented(after: str) -> str:
  """The first indented block after some words."""
  text = README[README.index(after) :]
  lines = text.splitlines()
  first = next(i for i, line in enumerate(lines) if line.startswith('    '))
  block = []
  for line in lines[first:]:
    if line and not line.startswith('    '):
      break
    block.append(line[4:])
  return '\n'.join(block).strip() + '\n'


@pytest.fixture
def agreement(tmp_path, monkeypatch):
  """The README's own method, among the methods."""
  source = indented('## A method in 40 lines')
  (tmp_path / 'agreement.py').write_text(source)
  monkeypatch.setattr(methods, '__path__', [*methods.__path__, str(tmp_path)])
  return source


def test_the_readmes_method_has_forty_lines(agreement):
  assert len([line for line in agreement.splitlines() if line.strip()]) <= 40


@pytest.mark.slow
def test_the_readmes_method_trains(agreement):
  assert 'agreement' in methods.names()
  config = configs.load(
    ROOT / 'configs/digits/supervised.yaml',
    ['method=agreement', 'labels=20', 'net={name: mlp, widths: [32]}', 'augment.strong=none', 'steps=150'],
  )
  dataset = data.load('digits')
  program = compile_program(structure_of(config, dataset))
  labeled = data.labeled_indices(dataset.train_labels, 20, split_seed=0, classes=10)
  arrays, numbers = jax.device_put((arrays_of(dataset, labeled), numbers_of(config, 20)))
  state, totals = program.init(np.uint32(0), arrays, numbers)
  for _ in range(150):
    state, totals = program.advance(state, totals, arrays, numbers)
  logits = program.observe(state, numbers, dataset.test_images)['logits']
  assert (np.asarray(logits).argmax(-1) == dataset.test_labels).mean() > 0.5


def test_the_readmes_sweep_expands(tmp_path):
  (tmp_path / 'mine.yaml').write_text(indented('augmentations is replacing a string.'))
  grid = expand(tmp_path / 'mine.yaml')
  assert grid.name == 'mine' and len(grid.configs) == 27 + 9


def test_the_readme_names_what_there_is():
  for name in methods.names():
    assert f'| `{name}` |' in README
  for path in re.findall(r'`((?:configs|experiments|notebooks|tests)/[\w./]+\.\w+)`', README):
    assert (ROOT / path).exists() or 'agreement' in path, path
  for path in re.findall(r'\]\(([\w./]+)\)', README):
    assert (ROOT / path).exists(), path
