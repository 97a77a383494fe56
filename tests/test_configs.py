"""Every shipped config can be trained as it stands: its step is traced on images of its dataset's shape."""

import csv
from importlib.util import find_spec
from itertools import takewhile

import jax
import numpy as np
import pytest
from support.cli import ROOT

from ssl_bench import data
from ssl_bench.augment.policies import parse
from ssl_bench.augment.randaugment import OPERATIONS, google_strengths
from ssl_bench.config import load
from ssl_bench.contract import init_state, make_step
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.extras import FACTS
from ssl_bench.data.sources import SOURCES, Source
from ssl_bench.kinds import kind_of
from ssl_bench.kinds.graph import Graph, Nodes, graph_of_shapes, make_graph
from ssl_bench.planning import numbers
from ssl_bench.planning.build import builder, method_of
from ssl_bench.planning.checks import check_groups
from ssl_bench.planning.policies import policies_of
from ssl_bench.planning.structure import structure_of

SHIPPED = [p for p in sorted((ROOT / 'configs').rglob('*.yaml')) if not p.name.startswith('_')]

RECORDED = {folder.name for folder in (ROOT / 'leaderboard' / 'records').iterdir() if folder.is_dir()}
UNTRIED = [p for p in SHIPPED if p.parent.name not in RECORDED]
NOBODY = '# Nobody has run this config; a test traces a step of its kind.'
REACHED = '# Reached: '


def config(name: str):
  return load(ROOT / 'configs' / f'{name}.yaml')


@pytest.mark.parametrize('path', UNTRIED, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_a_config_without_records_says_what_it_reached_or_that_nobody_has_run_it(path):
  header = list(takewhile(lambda line: line.startswith('#'), path.read_text('utf-8').splitlines()))
  assert sum(line == NOBODY or line.startswith(REACHED) for line in header) == 1


def test_a_config_with_records_does_not_say_that_nobody_has_run_it():
  records = ROOT / 'leaderboard' / 'records'
  ran = [path for path in SHIPPED if (records / path.parent.name / path.stem).is_dir()]
  assert ran and not [path for path in ran if NOBODY in path.read_text('utf-8')]


def test_simclr_has_the_rate_that_its_command_line_leads_to():
  """--learning_rate=1.0 is for 256 images."""
  settings = config('cifar10/simclr')
  images = settings.batch.labeled * settings.batch.unlabeled_ratio
  assert (images, settings.optimizer['lr']) == (512, 1.0 * 512 / 256)
  assert settings.steps == 1000 * (45000 // 512)


def test_byol_steps_as_the_cited_code_does_on_a_quarter_of_the_loss():
  """SGD on L / 4 moves as at a quarter of the rate, with four times the decay, on L."""
  shared, settings = config('cifar10/barlow_twins').optimizer, config('cifar10/byol').optimizer
  assert shared['lr'] == 0.06 * 512 / 128 and shared['momentum'] == settings['momentum']
  rng = np.random.default_rng(0)
  weights, gradient = rng.normal(size=(2, 100))
  theirs = shared['lr'] * (gradient / 4 + shared['weight_decay'] * weights)
  ours = settings['lr'] * (gradient + settings['weight_decay'] * weights)
  np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize('name', [p.stem for p in SHIPPED if p.parent.name == 'stl10'])
def test_strong_views_of_stl10_have_the_sizes_in_pixels_of_the_cited_code(name):
  policy = dict(parse(config(f'stl10/{name}').augment['strong']))
  assert policy['cutout']['size'] == 16
  of_side = policy['randaugment']['translate'] * 96
  table = google_strengths((of_side, of_side))[
    [OPERATIONS.index('translate_x'), OPERATIONS.index('translate_y')]
  ]
  np.testing.assert_array_equal(table[:, 1:10], np.tile(np.arange(1, 10), (2, 1)))


@pytest.mark.parametrize('dataset', ['cifar10', 'cifar100', 'stl10', 'svhn_cropped'])
def test_the_radius_of_vat_does_not_depend_on_the_size_of_the_image(dataset):
  assert config(f'{dataset}/vat').method['radius'] == 6


def test_the_bank_of_moco_is_the_one_of_the_published_rows_for_its_batch():
  rows = csv.DictReader((ROOT / 'leaderboard' / 'published.csv').open(encoding='utf-8'))
  notes = [
    (row['method'], row['protocol_note'])
    for row in rows
    if row['source'] == 'lightly'
    and row['method'] in ('moco', 'nnclr')
    and 'batch 512' in row['protocol_note']
  ]
  bank = config('cifar10/moco').method['queue']
  assert len(notes) == 4 and bank == 8192
  assert [note for note in notes if f'memory bank {bank}' not in note[1]] == []


@pytest.mark.parametrize('name, train', [('cifar10', 45000), ('svhn_cropped', 68257)])
def test_curriculum_has_the_steps_of_six_stages_of_750_epochs(name, train):
  """An epoch passes over the labeled images and the share of the others that the stage may use."""
  settings = config(f'{name}/curriculum')
  images = [settings.labels + round((train - settings.labels) * stage / 5) for stage in range(6)]
  assert settings.steps == 750 * sum(-(-n // 512) for n in images)
  assert settings.batch.labeled * (1 + settings.batch.unlabeled_ratio) == 512


@pytest.mark.parametrize('name', ['cifar10', 'cifar100'])
def test_deep_label_propagation_has_two_stages_of_180_epochs(name):
  """The first passes over the labeled images, the second over all 45,000."""
  settings = config(f'{name}/deep_label_propagation')
  first = 180 * (settings.labels // settings.batch.labeled)
  second = 180 * (45000 // (settings.batch.labeled * settings.batch.unlabeled_ratio))
  assert settings.steps == first + second
  assert settings.method['warmup'] == round(first / (first + second), 4)


def blank(name: str) -> Dataset:
  """A dataset of the right sizes and shapes, whose images take no memory."""
  if name not in SOURCES and (name not in FACTS or find_spec(FACTS[name].package.name)):
    return data.load(name)
  source = SOURCES[name] if name in SOURCES else FACTS[name]
  kind = source.kind
  graph = graph_of(source) if kind == 'graph' else None
  shape = () if graph else source.shape
  images = lambda n: np.broadcast_to(np.zeros((), kind_of(kind).stored), (n, *shape))
  parts = {'train': source.train, 'validation': source.validation, 'test': source.test}
  arrays = {f'{part}_images': images(n) for part, n in parts.items()}
  arrays |= {f'{part}_labels': np.arange(n, dtype='int32') % source.classes for part, n in parts.items()}
  arrays |= {f'{part}_index': np.arange(n, dtype='int32') for part, n in parts.items()}
  names = tuple(map(str, range(source.classes)))
  if kind == 'audio':
    arrays |= {f'{part}_groups': np.arange(n, dtype='int32') % 6 for part, n in parts.items()}
  extra = images(source.unlabeled) if getattr(source, 'unlabeled', 0) else None
  return Dataset(
    name,
    source.version,
    classes=source.classes,
    label_names=names,
    fingerprint='',
    unlabeled_images=extra,
    kind=kind,
    columns=(1,) * source.shape[0] if kind == 'table' else None,
    graph=graph,
    group_names=tuple(map(str, range(6))) if kind == 'audio' else (),
    **arrays,
  )


def graph_of(source: Source) -> Graph:
  """A graph of the right number of nodes and features, with one edge and one entry."""
  count = source.train + source.unlabeled
  starts, one = np.minimum(np.arange(count + 1), 1), np.ones(1)
  return make_graph(np.array([[0, 1]]), starts, np.zeros(1), one, width=source.shape[0])


@pytest.mark.slow
@pytest.mark.parametrize('method', sorted({path.stem for path in SHIPPED}))
def test_a_step_can_be_traced(method):
  """Once for each kind of network and shape of image; everything else is checked for every file."""
  traced = set()
  for path in (p for p in SHIPPED if p.stem == method):
    config = load(path)
    assert path.parent.name in (config.dataset, f'{config.dataset}_{config.protocol}')
    dataset = blank(config.dataset)
    parts = structure_of(config, dataset, int(config.labels))
    check_groups(parts)
    policies = policies_of(parts, method_of(parts).views)
    if (kind := (config.method['name'], config.net['name'], dataset.shape)) not in traced:
      traced.add(kind)
      trace_step(parts, policies)


def trace_step(parts, policies):
  """A step from abstract batches; the state keeps its shapes and types."""
  kind = lambda *shape, dtype='int32': jax.ShapeDtypeStruct(shape, dtype)
  labeled, unlabeled, _ = parts.batch

  def images(n):
    if parts.data.graph:
      return Nodes(graph_of_shapes(parts.data.graph, jax.ShapeDtypeStruct), kind(n))
    return kind(n, *parts.data.stored, dtype=kind_of(parts.data.kind).stored)

  batch = {
    'labeled': {'image': images(labeled), 'label': kind(labeled), 'labeled_index': kind(labeled)},
    'unlabeled': {'image': images(unlabeled), 'index': kind(unlabeled)},
  }
  if parts.text_net:
    batch['unlabeled']['caption'] = kind(unlabeled, parts.data.captions[-1], dtype='uint8')

  def one(batch, given):
    method, tx = builder(parts)(given)
    state = init_state(method, tx, policies, jax.random.key(0), batch)
    step = make_step(method, tx, policies) if method.loss else lambda state, batch: (state, None)
    return state, step(state, batch)[0]

  before, after = jax.eval_shape(one, batch, numbers.shapes(parts, jax.ShapeDtypeStruct))
  kinds = lambda state: jax.tree.map(lambda x: (x.shape, x.dtype), state)
  assert kinds(before) == kinds(after)
  assert jax.tree.leaves(before.params) or method_of(parts).loss is None
