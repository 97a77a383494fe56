"""What the board writes: the same bytes every time, and a page that needs nothing else."""

import base64
import csv
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.pages import grids_of, tree_of
from support.records import CLOCK, TODAY, failed, quickstart, record

from ssl_bench import plugins
from ssl_bench.leaderboard import aggregate, build, publish, read_published, terminal
from ssl_bench.leaderboard.build import today
from ssl_bench.leaderboard.page import document, trials
from ssl_bench.leaderboard.render import notes
from ssl_bench.leaderboard.render.figures import spread
from ssl_bench.leaderboard.render.readme import PICTURE, picture
from ssl_bench.leaderboard.render.readme import readme as short
from ssl_bench.leaderboard.render.tables import ranking
from ssl_bench.leaderboard.reproduced import read_tables
from ssl_bench.leaderboard.signs import signs
from ssl_bench.measures import all_measures
from ssl_bench.records.record import gather, read_curves
from ssl_bench.settings.signature import BadSetting

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / 'leaderboard' / 'published.csv'


@pytest.fixture(scope='module')
def out(tmp_path_factory):
  """A board of everything, published values included."""
  folder = tmp_path_factory.mktemp('board')
  build(everything(), read_published(PUBLISHED), out=folder, today=TODAY)
  return folder


@pytest.fixture(scope='module')
def html(out):
  return (out / 'index.html').read_text()


@pytest.fixture(scope='module')
def readme(out):
  return (out / 'README.md').read_text()


def everything():
  on_cifar = [
    record(m, 40, s, dataset='cifar10', accuracy=0.9) for m in ('fixmatch', 'simclr') for s in (0, 1)
  ]
  on_cifar[0]['environment']['device'] = {'platform': 'gpu', 'kind': 'H200', 'count': 2}
  return [*quickstart(), *on_cifar]


def written(folder):
  """Every file of a board: the README, the page and the CSV files."""
  return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.slow
def test_shuffled_records_give_the_same_bytes(out, tmp_path):
  records = everything()
  random.Random(1).shuffle(records)
  published = list(read_published(PUBLISHED))
  build(records, published, out=tmp_path, today=TODAY)
  assert written(tmp_path) == written(out)


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(out, tmp_path):
  path, board = tmp_path / 'records.json', tmp_path / 'board'
  path.write_text(json.dumps(everything()[::-1]))
  code = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from ssl_bench.leaderboard import build, read_published
records = json.loads(Path({str(path)!r}).read_text())
build(records, read_published(Path({str(PUBLISHED)!r})), out=Path({str(board)!r}), today={TODAY!r})
"""
  subprocess.run([sys.executable, '-c', code], check=True, env=os.environ | {'PYTHONHASHSEED': '12345'})
  assert written(board) == written(out)


class Balance(HTMLParser):
  """Collects attributes and ids, and fails on tags that do not close in order."""

  VOID = frozenset({'meta', 'input', 'br', 'link', 'img'})

  def __init__(self):
    super().__init__()
    self.open, self.attributes, self.ids = [], [], []

  def handle_starttag(self, tag, attrs):
    self.attributes += [(tag, *a) for a in attrs]
    self.ids += [v for k, v in attrs if k == 'id']
    if tag not in self.VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.attributes += [(tag, *a) for a in attrs]

  def handle_endtag(self, tag):
    assert self.open.pop() == tag


def test_page_is_well_formed(html):
  page = Balance()
  page.feed(html)
  page.close()
  assert page.open == []
  assert len(page.ids) == len(set(page.ids))
  targets = [v for tag, k, v in page.attributes if tag == 'a' and k == 'href']
  assert targets
  assert all(t[1:] in page.ids for t in targets)


def test_page_needs_nothing_from_outside(html):
  """Its policy allows no request and no script but its own; addresses are the names of XML's vocabularies."""
  (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
  assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src ")
  scripts = re.findall(r'<script>(.*?)</script>', html, re.DOTALL)
  digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
  assert re.findall(r'sha256-([^&;]*)&#39;', policy) == digests and len(digests) == 3
  own = html
  for name in document.VENDOR:
    library = document.asset(f'vendor/{name}')
    assert library in html
    own = own.replace(library, '')
  assert set(re.findall(r'https?:[^\'"\s]*', own)) == {'http://www.w3.org/2000/svg'}
  assert not re.search(r'\bsrc=|@import|url\(|<link|<iframe|fetch\(|XMLHttp', own)
  assert set(re.findall(r'href="(.)', own)) == {'#'}


def test_the_libraries_are_those_that_their_folder_tells():
  folder = ROOT / 'ssl_bench/leaderboard/page/vendor'
  line = re.compile(r'\| `(\S+\.js)` .* `([0-9a-f]{64})` \|$', re.MULTILINE)
  told = dict(line.findall((folder / 'README.md').read_text()))
  assert set(told) == set(document.VENDOR) == {path.name for path in folder.glob('*.js')}
  for name, digest in told.items():
    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
  assert {'LICENSE.d3', 'LICENSE.plot'} <= {path.name for path in folder.iterdir()}


def test_every_script_and_style_is_in_the_page_once_and_small():
  folder = ROOT / 'ssl_bench/leaderboard/page/assets'
  assert {path.name for path in folder.iterdir()} == {
    *(f'{name}.js' for name in document.SCRIPTS), *(f'{name}.css' for name in document.STYLES),
  }  # fmt: skip
  assert max(len(path.read_text().splitlines()) for path in folder.iterdir()) <= 300


def test_readme_tables_are_whole(readme):
  tables = re.findall(r'(?:^\|.*\n)+', readme, re.MULTILINE)
  assert len(tables) == 2  # one a dataset and protocol
  for table in tables:
    widths = {len(re.findall(r'(?<!\\)\|', line)) for line in table.splitlines()}
    assert len(widths) == 1
    assert re.fullmatch(r'\|( (:---|---:) \|)+', table.splitlines()[1])


def test_the_page_says_what_a_reader_has_to_know(html):
  words = ' '.join(tree_of(html)['words'])
  for told in (
    'Calibration (NLL, ECE, Brier) is shown but not ranked',
    'their accuracy is that of a linear probe',
    'Smoke protocol',
    'measured on several kinds of device (H200 × 2, cpu)',
    'collapsed 1 of 3: RankMe 1.2 is below 0.05 d',
    'Rows with fewer than 3 splits have no interval',
  ):
    assert told in words
  tables = grids_of(html)
  assert {(one['method'], one['status']) for one in tables['Failed or diverged']} == {
    ('mean_teacher', 'diverged'), ('vat', 'failed'),
  }  # fmt: skip
  assert tables['Failed or diverged'][0]['what happened'] == 'The loss was nan at step 120.'
  assert [one['why'] for one in tables['Stale']] == ['fixmatch is at version 1 now; this was run at 0']


def test_readme_has_the_main_numbers_and_says_where_the_rest_is(readme):
  assert 'ssl-bench leaderboard' in readme and 'index.html' in readme
  assert '2 trials failed or diverged' in readme
  heads = re.findall(r'^\| labels .*', readme, re.MULTILINE)
  assert heads == [
    '| labels | rank | method | accuracy, % | splits | ECE | GFLOPs per epoch |',
    '| labels | rank | method | accuracy, % | to supervised, points | splits | ECE |',
  ]


def cells(records, title):
  """The cells of a column of the one ranking of some records, and the section's data on the page."""
  board = aggregate(records)
  table = ranking(board.sections[0].budgets[0])
  at = [head.title for head in table.heads].index(title)
  return [row[at] for row in table.rows], tree_of(document.page(board))['sections'][0]


def test_calibration_is_marked_on_large_test_sets_only():
  def brier(test):
    records = [record(m, 40, s) for m in ('fixmatch', 'supervised') for s in range(3)]
    for r in records:
      r['split']['test'] = test
    column, section = cells(records, 'Brier')
    return [cell.strong for cell in column], section['calibration_ranked']

  assert brier(4999) == ([False, False], False)
  assert brier(5000) == ([True, False], True)


def test_cost_is_marked_within_one_unshared_kind_of_device_only():
  records = [record(m, 40, s) for m in ('fixmatch', 'supervised') for s in range(3)]
  for r in records[:3]:
    r['cost']['seconds_per_epoch'] = 3.21
  column, section = cells(records, 's per epoch')
  assert (column[0].text, column[0].strong, section['cost_ranked']) == ('3.21', True, True)
  for r in records[:3]:
    r['cost']['shared'] = True
  column, section = cells(records, 's per epoch')
  assert (column[0].text, column[0].strong, section['cost_ranked']) == ('3.21 *', False, False)


@pytest.mark.slow
def test_the_committed_readme_is_that_of_the_committed_records_and_short():
  records = gather([ROOT / 'leaderboard/records'], with_curves=True).records
  board = aggregate(records, read_published(PUBLISHED), today=today(records))
  board = board._replace(reproduced=read_tables(ROOT / 'leaderboard/reproduced'))
  committed = (ROOT / 'leaderboard/README.md').read_text(encoding='utf-8')
  found = signs(board, {one['id']: one for one in records}.get)
  assert committed == short(board, found), 'run ssl-bench leaderboard'
  assert len(committed.splitlines()) <= 250
  assert (ROOT / 'leaderboard' / PICTURE).read_text(encoding='utf-8') == picture(board)


def test_where_nothing_is_classified_the_readme_and_the_page_say_what_the_numbers_are():
  found = record('ts2vec', 1, 0, dataset='heart')
  found['metrics'] = {'anomaly': {'knn_auroc': 0.75, 'count': 3}}
  board = aggregate([found])
  told = 'Nothing is classified here, as where all examples are of one class, so no row has a rank.'
  auroc = 'AUROC says how well a score tells anomalies from test examples: 1 tells all, 0.5 is a guess.'
  assert f'{told} {auroc}' in short(board)
  reading = notes.reading(board.sections[0], timing=True)
  assert f'{told} {auroc}' in reading and not any('Calibration' in one for one in reading)
  del found['metrics']['anomaly']
  assert notes.unclassified(aggregate([found]).sections[0]) == told
  assert not notes.unclassified(aggregate([record()]).sections[0])


def test_a_readme_of_many_datasets_stays_short_and_says_what_is_left_out(tmp_path):
  """Of 40 datasets with 8 methods each: fewer rows, then fewer datasets; the baseline is always there."""
  methods = ('supervised', 'fixmatch', 'simclr', 'byol', 'vat', 'mixmatch', 'dino', 'mae')
  levels = {m: 0.5 + 0.05 * i for i, m in enumerate(methods)}
  few = [
    record(m, 40, s, dataset=f'd{i:02}', accuracy=levels[m])
    for m in methods
    for i in range(20)
    for s in (0, 1)
  ]
  text = short(aggregate(few))
  assert len(text.splitlines()) <= 250 and text.count('| supervised |') == 20
  assert text.count('\n## ') == 20 and 'More rows on the page: 4 with 40 labels.' in text
  more = [record('supervised', 40, 0, dataset=f'e{i:02}') for i in range(40)]
  text = short(aggregate([*few, *more]))
  assert len(text.splitlines()) <= 250
  said = re.search(r'^(\d+) more datasets and protocols are on the page', text, re.MULTILINE)
  assert int(said[1]) + text.count('\n## ') == 60


def test_a_csv_file_has_unrounded_means_and_half_widths(tmp_path):
  accuracies = [0.81, 0.84, 0.80, 0.86]
  records = [record('fixmatch', 40, s, accuracy=a) for s, a in enumerate(accuracies)]
  (tmp_path / 'tables').mkdir()
  (tmp_path / 'tables/digits-smoke-20-ranking.csv').write_text('of an earlier board')
  build([*records, record('supervised', 40, 0, accuracy=0.5)], out=tmp_path)
  assert {path.name for path in (tmp_path / 'tables').iterdir()} == {
    'digits-smoke-40-ranking.csv', 'digits-smoke-efficiency.csv', 'digits-smoke-trials.csv',
  }  # fmt: skip
  first, second = csv.DictReader((tmp_path / 'tables/digits-smoke-40-ranking.csv').open(encoding='utf-8'))
  assert (first['method'], first['rank'], first['splits'], second['method']) == (
    'fixmatch',
    '1',
    '4',
    'supervised',
  )
  assert float(first['accuracy']) == pytest.approx(np.mean(accuracies), rel=1e-9)
  half = stats.t.ppf(0.975, 3) * stats.sem(accuracies)
  assert float(first['accuracy_half']) == pytest.approx(half, rel=1e-9)
  assert second['to_supervised'] == '' and second['accuracy_half'] == ''
  assert float(first['to_supervised']) == pytest.approx(0.31, rel=1e-9)
  assert float(first['peak_memory_bytes']) == CLOCK['peak_memory_bytes']
  trials = list(csv.DictReader((tmp_path / 'tables/digits-smoke-trials.csv').open(encoding='utf-8')))
  assert sorted(float(t['accuracy, %']) for t in trials) == pytest.approx([0.5, *sorted(accuracies)])


def test_a_published_value_stands_beside_ours_with_source_and_difference(html):
  tables = grids_of(html)
  mine = lambda one: one['source'] == 'FixMatch paper' and '86.19' in one['published, %']
  (row,) = filter(mine, tables['Beside published values'])
  assert [*row.values()][:6] == ['fixmatch', '40', 'accuracy', '90.0', '86.19 ± 3.37', '+3.8']
  elsewhere = tables['Published, not run here']
  assert not any(map(mine, elsewhere))
  assert any('known problem: consistency loss without gradient' in [*one.values()][-3] for one in elsewhere)


def test_published_values_of_datasets_that_nobody_ran_stay_out_of_the_page(tmp_path):
  build([record('fixmatch', 40, s) for s in range(3)], read_published(PUBLISHED), out=tmp_path)
  html = (tmp_path / 'index.html').read_text()
  assert tree_of(html)['elsewhere'] == 0 and 'cifar10' not in ' '.join(tree_of(html)['words'])


def test_published_values_are_never_ranked():
  published = read_published(PUBLISHED)
  assert aggregate([], published).sections == ()
  board = aggregate([record('fixmatch', 20, 0, dataset='cifar10')], published)
  labels_and_probes = {(p.labels, p.measure) for r in board.sections[0].rows for p in r.published}
  assert not labels_and_probes  # none is published at 20 labels
  assert board.elsewhere == published


def test_published_file_holds_plausible_numbers():
  published = read_published(PUBLISHED)
  assert len(published) > 400
  assert all(0 <= p.value <= 100 and p.source and p.url_or_citation for p in published)
  usb = {(p.method, p.dataset, p.labels): p for p in published if p.source == 'USB classic_cv'}
  assert usb['fixmatch', 'cifar100', '400'].value == 53.37
  assert 'known problem' in usb['mean_teacher', 'cifar10', '40'].protocol_note


@pytest.mark.parametrize(
  ('change', 'says'),
  [
    (lambda t: t.replace('method,', 'name,', 1), 'must have the columns'),
    (lambda t: t.replace(',error,', ',errors,', 1), 'line 2: metric must be one of'),
    (lambda t: t.replace('5.05', 'five', 1), 'line 2 should hold a number'),
  ],
)
def test_a_bad_published_file_is_one_sentence(tmp_path, change, says):
  path = tmp_path / 'published.csv'
  path.write_text(change(PUBLISHED.read_text()))
  with pytest.raises(BadSetting, match=says):
    read_published(path)


@pytest.mark.slow
def test_without_timing_no_value_of_a_clock_is_written(tmp_path):
  build(everything(), out=tmp_path, timing=True, today=TODAY)
  clocked = ('7.77', '77702', '77705', '2031-01-02')
  tree = tree_of((tmp_path / 'index.html').read_text())
  timed = {row.name for row in all_measures() if row.clock}
  assert timed & set(tree['means']) and timed & set(tree['trials']['measures']) and tree['trials']['finished']
  assert any(one.startswith('2031-01-02') for one in tree['words'])
  build(everything(), out=tmp_path, timing=False, today=TODAY)
  before = written(tmp_path)
  tree = tree_of(before['index.html'].decode())
  assert not timed & {*tree['means'], *tree['trials']['measures']} and not tree['trials']['finished']
  assert not any(value in ' '.join(tree['words']) for value in (*clocked, '03:04', '03:14'))
  for name, text in before.items():
    assert name == 'index.html' or not any(value in text.decode() for value in (*clocked, '03:04', '03:14'))
  assert 'GFLOPs per epoch' in before['README.md'].decode()
  assert 'tables/digits-smoke-40-ranking.csv' in before
  again = everything()
  for r in again:
    if 'cost' in r:
      r['cost'] |= dict.fromkeys(CLOCK, 1.0) | {'shared': True}
      r['time'] = {'started': '2032', 'finished': '2033'}
  build(again, out=tmp_path, timing=False, today=TODAY)
  assert written(tmp_path) == before


def test_no_records_give_a_page_that_says_what_to_run(tmp_path):
  build([], read_published(PUBLISHED), out=tmp_path / 'new')
  files = written(tmp_path / 'new')
  for text in (files['README.md'], files['index.html']):
    assert 'make quickstart' in text.decode()
    assert 'ssl-bench leaderboard' in text.decode()


def test_failures_alone_make_a_page(tmp_path):
  build([failed('vat', 0.05, 0, error='<b>|bad|</b>')], out=tmp_path)
  html = (tmp_path / 'index.html').read_text()
  assert '<b>|bad|' not in html and grids_of(html)['Failed or diverged'][0]['what happened'] == '<b>|bad|</b>'
  assert '1 trials failed or diverged' in (tmp_path / 'README.md').read_text()


def test_one_record_without_numbers_makes_a_page(tmp_path):
  r = record()
  r |= {'metrics': {}, 'cost': {}}
  build([r], out=tmp_path)
  rows = tree_of((tmp_path / 'index.html').read_text())['rows']
  assert (rows['rank'], rows['splits'], rows['count']) == ([None], [0], [1])
  assert '| 40 | – | fixmatch | 1 trial |' in (tmp_path / 'README.md').read_text()


def test_numbers_are_kept_to_two_digits_more_than_are_shown():
  accuracies = [0.812345678, 0.84, 0.80]
  board = aggregate([record('fixmatch', 40, s, accuracy=a) for s, a in enumerate(accuracies)])
  tree = tree_of(document.page(board))
  (row,) = board.sections[0].budgets[0].rows
  measure = next(one for one in tree['measures'] if one['name'] == 'accuracy')
  assert measure['kept'] == 4 and measure['percent'] and measure['better'] == 'higher'
  half = stats.t.ppf(0.975, 2) * stats.sem(accuracies)
  assert tree['means']['accuracy'] == {
    'value': [round(1e6 * np.mean(accuracies))],
    'half': [round(1e6 * half)],
  }
  assert tree['trials']['measures']['accuracy'] == [round(1e6 * a) for a in accuracies]
  assert tree['student_t'] == [round(stats.t.ppf(0.975, n), 6) for n in (1, 2)]
  assert len(row.trials) == tree['rows']['count'][0] == 3


def test_a_measure_of_a_new_table_is_on_the_page_by_itself(tmp_path):
  (tmp_path / 'mine.py').write_text(PLUGIN)
  plugins.load([str(tmp_path / 'mine.py')])
  one = record()
  one['metrics']['mine'] = 0.123456
  tree = tree_of(document.page(aggregate([one])))
  (mine,) = [m for m in tree['measures'] if m['name'] == 'mine']
  assert (tree['words'][mine['group']], tree['words'][mine['title']]) == ('a new table', 'my measure')
  assert tree['means']['mine']['value'] == [12346]


PLUGIN = """
from ssl_bench.measures import Measure

PLUGINS = {
  'measures': [Measure('mine', ('metrics', 'mine'), 'my measure', lambda t: 0.5, table='a new table')],
}
"""


def long_curves():
  records = [record(m, 40, s) for m in ('fixmatch', 'supervised') for s in range(6)]
  for one in records:
    one['curve'] = [{'step': 10 * i, 'loss': 2 / i} for i in range(1, 101)]
    one['evaluations'] = [{'step': 500, 'test_accuracy': 0.5}]
  return records


def test_a_learning_curve_has_few_points_the_first_and_the_last_among_them(tmp_path):
  build(long_curves(), out=tmp_path)
  curves = tree_of((tmp_path / 'index.html').read_text())['curves']
  assert len(curves['steps']) == 1 and len(curves['of']) == 12
  steps, (loss, *others) = curves['steps'][0], curves['of']['0']
  assert (len(steps), steps[0], steps[-1], curves['lines'][0]) == (16, 10, 1000, 'loss')
  assert loss[1] == [round(1e4 * 2 / (step / 10)) for step in steps]
  assert others == [0, 0]  # one evaluation is no curve


def test_a_board_of_many_trials_keeps_some_curves_and_says_so(tmp_path, monkeypatch):
  monkeypatch.setattr(trials, 'WHOLE', 10)
  build(long_curves(), out=tmp_path)
  tree = tree_of((tmp_path / 'index.html').read_text())
  assert sorted(map(int, tree['curves']['of'])) == [0, 1, 2, 3, 6, 7, 8, 9]
  assert 'the first 4 trials of each row have learning curves' in tree['words'][tree['kept']]
  assert 'nll' in tree['trials']['measures'] and 'rankme' not in tree['trials']['measures']
  assert 'rankme' in tree['means']


def published_in(folders, out):
  """The page of some folders of records, its data, and the folders that it tells."""
  publish(folders, out)
  html = (out / 'index.html').read_text()
  tree = tree_of(html)
  return html, tree, [tree['words'][place] for place in tree['trials']['folder']]


def test_records_in_folders_have_their_paths_and_their_curves_and_no_machine_is_named(tmp_path, monkeypatch):
  folder = ROOT / 'leaderboard/records/fashion_mnist'
  html, tree, folders = published_in([folder], tmp_path)
  paths = [ROOT / told / f'{name}.json' for told, name in zip(folders, tree['trials']['id'])]
  long = [i for i, path in enumerate(paths) if any(len(rows) > 1 for rows in read_curves(path).values())]
  assert sorted(map(int, tree['curves']['of'])) == long and len(long) > 4
  assert str(ROOT) not in html and str(tmp_path) not in html
  copied = tmp_path / 'runs/mine/records'
  shutil.copytree(folder, copied)
  assert all(told.startswith('records/') for told in published_in([copied], tmp_path)[2])
  monkeypatch.chdir(tmp_path)
  assert all(
    told.startswith('runs/mine/records/') for told in published_in([Path('runs/mine/records')], tmp_path)[2]
  )


def test_terminal_shows_every_budget():
  from rich.console import Console

  console = Console(width=160, record=True, file=open(os.devnull, 'w'))  # noqa: SIM115
  console.print(terminal(aggregate(quickstart(), today=TODAY)))
  text = console.export_text()
  for said in ('20 labels', '40 labels', '100 labels', 'fixmatch', '7.77', 'vat, 20 labels: failed'):
    assert said in text
  console.print(terminal(aggregate(quickstart(), today=TODAY, timing=False)))
  assert '7.77' not in console.export_text()


def test_terminal_of_one_class_shows_what_was_measured_and_no_accuracy():
  from rich.console import Console

  folder = Path(__file__).parents[2] / 'leaderboard' / 'records' / 'internal_bleeding'
  board = aggregate(gather([folder]).records)
  console = Console(width=120, record=True, file=open(os.devnull, 'w'))  # noqa: SIM115
  console.print(terminal(board))
  text = console.export_text()
  row = next(row for row in board.sections[0].rows if row.method == 'masked_series')
  assert 'AUROC, kNN' in text and f'{row.measures["anomaly_reconstruction_auroc"].value:.3f}' in text
  assert 'accuracy' not in text and 'ECE' not in text and 'to supervised' not in text


def test_spread_keeps_order_and_gaps_and_moves_little():
  places = [1.0, 1.1, 1.2, 5.0, 9.0, 9.1]
  moved = spread(places, 1.0)
  assert all(b - a >= 1.0 - 1e-9 for a, b in pairwise(moved))
  assert moved[3] == 5.0
  assert sum(moved) == pytest.approx(sum(places))
  assert spread([], 1.0) == []
