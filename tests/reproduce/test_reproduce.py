"""A published table from its file to the board: real trials on the synthetic set, run once."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.pages import grids_of

from ssl_bench import leaderboard
from ssl_bench.leaderboard import reproduced
from ssl_bench.leaderboard.published import Published
from ssl_bench.leaderboard.render import reproduced as render
from ssl_bench.leaderboard.reproduced import Reproduced, ReproducedCell, ReproducedRow, Run, Value
from ssl_bench.reproduce import gather, table
from ssl_bench.reproduce.command import reproduce
from ssl_bench.settings.signature import BadSetting

PROTOCOL = """
dataset: fake
labels: 20
net: {name: mlp, widths: [16]}
batch: {labeled: 16, unlabeled_ratio: 2}
steps: 30
optimizer: {name: sgd, lr: 0.1}
augment: {weak: none, strong: none}
evaluate: {every: 10, probes: []}
"""
TABLE = """
title: A table of the synthetic set
columns:
  few: [fake]
  more: [fake, labels=40]
rows:
  - {name: plain, config: supervised, published: plain, explained: {more: 'since it has more'}}
  - {name: chosen, config: supervised, measure: validation_selected, settings: [steps=20], columns: [few]}
  - {name: theirs, published: theirs, columns: [few]}
seeds: 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'configs/fake').mkdir(parents=True)
  (tmp_path / 'configs/fake/_protocol.yaml').write_text(PROTOCOL)
  (tmp_path / 'tables').mkdir()
  (tmp_path / 'tables/mine.yaml').write_text(TABLE)
  rows = [published('plain', 20, 3.0), published('plain', 40, 1.0), published('theirs', 20, 50.0)]
  monkeypatch.setattr(table, 'read_published', lambda path: tuple(rows))
  return tmp_path


def published(method, labels, value, std=None):
  return Published(method, 'fake', str(labels), 'accuracy', value, std, 5, '', 'a paper', 'table 1')


def test_a_table_is_run_once_and_its_cells_get_verdicts(folder, capsys, monkeypatch):
  found = table.read('mine')
  assert [(cell.row.name, cell.column, len(cell.configs)) for cell in found.cells] == [
    ('plain', 'few', 2),
    ('plain', 'more', 2),
    ('chosen', 'few', 2),
    ('theirs', 'few', 0),
  ]
  assert [c.split_seed for c in found.cells[0].configs.values()] == [0, 1]
  code = reproduce(found, folder / 'runs', 1, to=folder / 'kept')
  shown = capsys.readouterr().out
  assert code == 1 and '6 trials: 0 recorded before, 6 done now' in shown
  assert 'not reproduced' in shown and 'plain, more: since it has more' in shown

  kept = reproduced.read(folder / 'kept/mine.json')
  first, second, chosen, theirs = (cell for row in kept.rows for cell in row.cells)
  verdicts = [cell.verdict(kept.tolerance) for cell in (first, second, chosen, theirs)]
  assert verdicts == ['not reproduced', 'explained', 'nothing published', 'published only']
  for cell in (first, chosen):
    for run in cell.runs.values():
      record = json.loads((folder / f'runs/reproduce_mine/records/{run.record}.json').read_text())
      name = 'accuracy' if cell is first else 'accuracy_validation_selected'
      assert run.value == record['metrics'][name] and run.accuracy == record['metrics']['accuracy']

  reproduce(found, folder / 'runs', 1)
  assert '6 trials: 6 recorded before, none now' in capsys.readouterr().out

  reproduce(found, folder / 'nothing', 1, recorded=True)
  assert 'not run' in capsys.readouterr().out and not (folder / 'nothing/reproduce_mine/records').exists()

  # Where the project keeps the table, nothing has to be run, and its own records say the same.
  monkeypatch.setattr(gather, 'shipped', lambda name: folder / 'kept' / Path(name).name)
  reproduce(found, folder / 'elsewhere', 1)
  again = reproduced.read(folder / 'elsewhere/reproduce_mine/table.json')
  assert again.rows == kept.rows
  assert not (folder / 'elsewhere/reproduce_mine/records').exists()
  reproduce(table.read('mine', seeds=1), folder / 'fewer', 1)  # what is kept is not dropped
  assert reproduced.read(folder / 'fewer/reproduce_mine/table.json').rows == kept.rows
  changed = table.read('mine')._replace(cells=tuple(_with_other_steps(cell) for cell in found.cells))
  assert gather.unmeasured(changed.cells[0], gather.known_of('mine'), _datasets()) != []


def _with_other_steps(cell):
  configs = {key: config.model_copy(update={'steps': 31}) for key, config in cell.configs.items()}
  return cell._replace(configs=configs)


def _datasets():
  from ssl_bench import data

  return {'fake': data.load('fake')}


def test_a_record_without_what_the_row_reports_is_no_zero(folder):
  (folder / 'tables/mine.yaml').write_text(TABLE.replace('validation_selected', 'linear_budget'))
  with pytest.raises(BadSetting, match=r'Row chosen: record .* has no linear_budget; give the row another'):
    reproduce(table.read('mine', rows=['chosen'], seeds=1), folder / 'runs', 1)


def test_the_boards_readme_shows_what_was_measured_and_counts_the_rest(folder):
  found = table.read('mine')
  reproduce(found, folder / 'runs', 1, to=folder / 'kept', recorded=True)
  kept = reproduced.read(folder / 'kept/mine.json')
  assert len(render.reproduced(kept, True).rows) == 4 and not render.short(kept).rows
  assert '3 not run, 1 published only' in render.told(kept)


def made(value, std=None, explained=None, found=(0.5, 0.52, 0.54)):
  runs = {f'{i}/{i}': Run(record='a', value=v, accuracy=v - 0.1, seconds=36.0) for i, v in enumerate(found)}
  return ReproducedCell(
    column='c',
    identity='',
    published=Value(value=value, std=std, runs=None, note='', source='', where=''),
    explained=explained,
    wanted=3,
    device='CPU',
    runs=runs,
  )


@pytest.mark.parametrize(
  ('cell', 'verdict'),
  [
    (made(53.0), 'within'),
    (made(51.0), 'within'),
    (made(53.1), 'not reproduced'),
    (made(53.9, std=2.0), 'within'),
    (made(54.1, std=2.0), 'not reproduced'),
    (made(60.0, explained='why'), 'explained'),
    (made(60.0, found=()), 'not run'),
  ],
)
def test_within_is_the_tolerance_or_one_published_deviation(cell, verdict):
  assert cell.verdict(1.0) == verdict


def test_the_interval_is_that_of_student():
  cell = made(50.0)
  values = np.array([50.0, 52.0, 54.0])
  low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
  assert cell.interval.mean == pytest.approx(52)
  assert cell.interval.half_width == pytest.approx((high - low) / 2)
  assert cell.difference == pytest.approx(2) and cell.hours == pytest.approx(0.03)


def test_the_board_shows_it_and_a_clock_can_be_left_out(tmp_path):
  rows = (
    ReproducedRow(name='<row>', config='x', measure='accuracy', cells=(made(60.0, explained='a | b'),)),
  )
  whole = Reproduced(name='t', title='A title', about='About it.', tolerance=1.0, made={}, rows=rows)
  reproduced.write(whole, tmp_path / 'reproduced/t.json')
  assert reproduced.read_tables(tmp_path / 'reproduced') == (whole,)
  (tmp_path / 'records').mkdir()
  how = {'out': tmp_path / 'out', 'reproduced': tmp_path / 'reproduced'}
  leaderboard.publish([tmp_path / 'records'], **how)
  text = (tmp_path / 'out/README.md').read_text()
  assert '## A title' in text and '| 60.0 | 52.0 ± 5.0 | −8.0 | explained |' in text
  page = (tmp_path / 'out/index.html').read_text()
  (shown,) = grids_of(page)['A title']
  assert (shown['row'], shown['verdict']) == ('<row>', 'explained: a | b') and '<row>' not in page
  assert '−8.0' in (tmp_path / 'out/tables/reproduced-t.csv').read_text()
  assert shown['hours'] == '0.03'
  leaderboard.publish([tmp_path / 'records'], timing=False, **how)
  (shown,) = grids_of((tmp_path / 'out/index.html').read_text())['A title']
  assert 'hours' not in shown


@pytest.mark.parametrize(
  ('text', 'sentence'),
  [
    ('title: t\ncolumns: {}\nrows: []\nseeds: 0\n', r'mine\.yaml: seeds: '),
    (TABLE + 'colour: red\n', r'mine\.yaml: colour: '),
    (TABLE.replace('columns: [few]', 'columns: [fex]'), "no column 'fex'; did you mean 'few'"),
    (
      TABLE.replace('config: supervised, pub', 'config: supervise, pub'),
      'row plain, few: There is no config',
    ),
    (TABLE.replace('validation_selected', 'validation_elected'), 'validation_elected'),
    (TABLE.replace('steps=20', 'stops=20'), 'row chosen, few: '),
    (TABLE.replace('name: chosen', 'name: plain'), "has two rows 'plain'"),
    (TABLE.replace('{more: ', '{mroe: '), "row plain: no column 'mroe'; did you mean 'more'"),
  ],
)
def test_a_wrong_table_is_one_sentence(folder, text, sentence):
  (folder / 'tables/mine.yaml').write_text(text)
  with pytest.raises(BadSetting, match=sentence):
    table.read('mine')


def test_several_published_values_need_a_source(folder, monkeypatch):
  note = 'as in the second version'
  twice = (
    published('plain', 20, 3.0),
    published('plain', 20, 4.0)._replace(source='another'),
    published('plain', 20, 5.0)._replace(protocol_note=note),
  )
  monkeypatch.setattr(table, 'read_published', lambda path: twice)
  with pytest.raises(BadSetting, match='Row plain: 3 published values of plain on fake with 20 labels'):
    table.read('mine')
  for source, value in (('another', 4.0), (note, 5.0)):
    chosen = TABLE.replace('published: plain', f'published: plain, source: {source}')
    (folder / 'tables/mine.yaml').write_text(chosen)
    assert table.read('mine').cells[0].published.value == value


UNREAD = {  # cells whose published value stands in no source that could be read
  'mnist_few_labels': {
    *itertools.product(('Pseudo-Label', 'Pseudo-Label, best on test'), ('100', '1,000', '3,000')),
    ('Ladder, Γ, a ninth', '100'),
  }
}


@pytest.mark.parametrize('name', table.names())
def test_every_shipped_table_is_sound(name):
  found = table.read(name)
  assert found.cells
  valued = {(cell.row.name, cell.column): cell.published for cell in found.cells if cell.row.published}
  assert {cell for cell, value in valued.items() if not value} == UNREAD.get(name, set())
  assert not [cell for cell in found.cells if not cell.row.config and not cell.published]


def test_the_table_of_the_docs_can_be_read(tmp_path, monkeypatch):
  page = (Path(__file__).parents[2] / 'docs/published-tables.md').read_text(encoding='utf-8')
  text = page.split('```yaml title="tables/mine.yaml"\n')[1].split('```')[0]
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'tables').mkdir()
  (tmp_path / 'tables/mine.yaml').write_text(text)
  cells = table.read('mine').cells
  assert [(cell.row.name, cell.column, len(cell.configs)) for cell in cells] == [
    ('supervised', '20 labels', 3),
    ('supervised', '40 labels', 3),
    ('FixMatch', '20 labels', 3),
    ('FixMatch', '40 labels', 3),
  ]
