"""What the board writes: the same bytes every time, a page that needs nothing else, a real browser too."""

import csv
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
from support.records import CLOCK, TODAY, failed, quickstart, record

from ssl_bench.leaderboard import aggregate, build, read_published, terminal
from ssl_bench.leaderboard.build import today
from ssl_bench.leaderboard.render.figures import spread
from ssl_bench.leaderboard.render.readme import PICTURE, picture
from ssl_bench.leaderboard.render.readme import readme as short
from ssl_bench.leaderboard.reproduced import read_tables
from ssl_bench.records.record import gather
from ssl_bench.settings.signature import BadSetting

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / 'leaderboard' / 'published.csv'
CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)


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
  named = [
    i for i in page.ids if not re.match(r'[mp][0-9a-f]{8,}', i)
  ]  # a figure's clip paths repeat by content
  assert len(named) == len(set(named))
  targets = [v for tag, k, v in page.attributes if tag == 'a' and k == 'href']
  assert targets
  assert all(t[1:] in page.ids for t in targets)


def test_page_needs_nothing_from_outside(html):
  assert not re.search(r'https?:|//[a-z]', html.replace('</', ''))
  assert not re.search(r'\bsrc=|@import|url\((?!#)|<link|<iframe|fetch\(|XMLHttp', html)
  assert set(re.findall(r'href="(.)', html)) == {'#'}


def test_figures_take_the_pages_colors(html):
  figures = re.findall(r'<svg.*?</svg>', html, re.DOTALL)
  assert len(figures) == 6
  for svg in figures:
    assert 'currentColor' in svg
    painted = re.findall(r'(?:fill|stroke): (#[0-9a-f]{6})', svg)
    assert set(painted) <= {'#ffffff'}, painted


def test_readme_tables_are_whole(readme):
  tables = re.findall(r'(?:^\|.*\n)+', readme, re.MULTILINE)
  assert len(tables) == 2  # one a dataset and protocol
  for table in tables:
    widths = {len(re.findall(r'(?<!\\)\|', line)) for line in table.splitlines()}
    assert len(widths) == 1
    assert re.fullmatch(r'\|( (:---|---:) \|)+', table.splitlines()[1])


def test_the_page_says_what_a_reader_has_to_know(html):
  assert 'Calibration (NLL, ECE, Brier) is shown but not ranked' in html
  assert 'the accuracy is' not in html
  assert 'their accuracy is that of a linear probe' in html
  assert 'Smoke protocol' in html
  assert 'measured on several kinds of device (H200 × 2, cpu)' in html
  assert 'collapsed 1 of 3: RankMe 1.2 is below 0.05 d' in html
  assert '>diverged</td>' in html and '>The loss was nan at step 120.</td>' in html
  assert 'fixmatch is at version 1 now; this was run at 0' in html
  assert 'Rows with fewer than 3 splits have no interval' in html


def test_readme_has_the_main_numbers_and_says_where_the_rest_is(readme):
  assert 'ssl-bench leaderboard' in readme and 'index.html' in readme
  assert '2 trials failed or diverged' in readme
  heads = re.findall(r'^\| labels .*', readme, re.MULTILINE)
  assert heads == [
    '| labels | rank | method | accuracy, % | splits | ECE | GFLOPs per epoch |',
    '| labels | rank | method | accuracy, % | to supervised, points | splits | ECE |',
  ]


def column(folder, title):
  """The cells of a column of the page's first table, as HTML."""
  table = re.search(r'<table>.*?</table>', (folder / 'index.html').read_text(), re.DOTALL)[0]
  heads = re.findall(r'<th [^>]*>(.*?)</th>', table)
  rows = [re.findall(r'<td[^>]*>(.*?)</td>', row) for row in re.findall(r'<tr>(.*?)</tr>', table, re.DOTALL)]
  return [row[heads.index(title)] for row in rows if row]


def test_calibration_is_marked_on_large_test_sets_only(tmp_path):
  def brier(test):
    records = [record(m, 40, s) for m in ('fixmatch', 'supervised') for s in range(3)]
    for r in records:
      r['split']['test'] = test
    build(records, out=tmp_path)
    return column(tmp_path, 'Brier')

  assert not any('strong' in cell for cell in brier(4999))
  assert ['strong' in cell for cell in brier(5000)] == [True, False]


def test_cost_is_marked_within_one_unshared_kind_of_device_only(tmp_path):
  records = [record(m, 40, s) for m in ('fixmatch', 'supervised') for s in range(3)]
  for r in records[:3]:
    r['cost']['seconds_per_epoch'] = 3.21
  build(records, out=tmp_path)
  assert column(tmp_path, 's per epoch')[0] == '<strong>3.21</strong>'
  for r in records[:3]:
    r['cost']['shared'] = True
  build(records, out=tmp_path)
  assert column(tmp_path, 's per epoch')[0] == '3.21 *'


@pytest.mark.slow
def test_the_committed_readme_is_that_of_the_committed_records_and_short():
  records = gather([ROOT / 'leaderboard/records']).records
  board = aggregate(records, read_published(PUBLISHED), today=today(records))
  board = board._replace(reproduced=read_tables(ROOT / 'leaderboard/reproduced'))
  committed = (ROOT / 'leaderboard/README.md').read_text(encoding='utf-8')
  assert committed == short(board), 'run ssl-bench leaderboard'
  assert len(committed.splitlines()) <= 250
  assert (ROOT / 'leaderboard' / PICTURE).read_text(encoding='utf-8') == picture(board)


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
    'digits-smoke-40-ranking.csv', 'digits-smoke-trials.csv',
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
  rows = re.findall(r'<tr>(.*?)</tr>', html, re.DOTALL)
  (row,) = [row for row in rows if 'FixMatch paper' in row and '86.19' in row]
  cells = re.findall(r'<td[^>]*>(.*?)</td>', row)
  assert cells[:6] == ['fixmatch', '40', 'accuracy', '90.0', '86.19 ± 3.37', '+3.8']
  elsewhere = html[html.index('Published, not run here') :]
  assert '86.19' not in elsewhere
  assert 'known problem: consistency loss without gradient' in elsewhere


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
  clocked = ('7.77', '77,702', '77,705', '2031-01-02')
  assert all(value in (tmp_path / 'index.html').read_text() for value in clocked)
  build(everything(), out=tmp_path, timing=False, today=TODAY)
  before = written(tmp_path)
  for text in before.values():
    words = re.sub(r'<svg.*?</svg>', '', text.decode(), flags=re.DOTALL)  # coordinates may look like anything
    assert not any(value in words for value in (*clocked, '03:04', '03:14'))
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
  assert '&lt;b&gt;|bad|&lt;/b&gt;' in (tmp_path / 'index.html').read_text()
  assert '1 trials failed or diverged' in (tmp_path / 'README.md').read_text()


def test_one_record_without_numbers_makes_a_page(tmp_path):
  r = record()
  r |= {'metrics': {}, 'cost': {}}
  build([r], out=tmp_path)
  assert [column(tmp_path, title) for title in ('rank', 'family', 'splits', 'accuracy, %')] == [
    ['–'], ['semi'], ['0'], ['–'],
  ]  # fmt: skip
  assert '| 40 | – | fixmatch | 0 |' in (tmp_path / 'README.md').read_text()


@pytest.mark.slow
def test_many_methods_fit_into_the_figures(tmp_path):
  build([record(f'method_{i}', n, 0) for i in range(14) for n in (10, 40)], out=tmp_path)
  html = (tmp_path / 'index.html').read_text()
  assert html.count('<svg') == 3
  assert 'Gray: ' in html


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


def number(cell):
  return float(cell.split()[0].replace('−', '-'))


DRIVE = """<script>
const seen = {};
const body = () => [...document.querySelectorAll('#digits-smoke table')[1].tBodies[0].rows];
const column = i => body().map(row => row.children[i].textContent);
const heads = [...document.querySelectorAll('#digits-smoke table')[1].tHead.rows[0].children];
const accuracy = heads.findIndex(head => head.textContent.startsWith('accuracy'));
const press = i => heads[i].querySelector('button').click();
seen.before = column(1);
press(accuracy); seen.up = column(accuracy); seen.aria = heads[accuracy].getAttribute('aria-sort');
press(accuracy); seen.down = column(accuracy);
press(1); seen.names = column(1);
const supervised = heads.findIndex(head => head.textContent.startsWith('to supervised'));
press(supervised); seen.empty = column(supervised);
const field = document.getElementById('filter');
field.value = 'FixMatch cutout'; field.dispatchEvent(new Event('input'));
seen.kept = rows.filter(row => !row.hidden && row.getClientRects().length).map(row => row.textContent.trim());
seen.said = document.getElementById('shown').textContent;
field.value = ''; field.dispatchEvent(new Event('input'));
seen.all = rows.every(row => !row.hidden);
seen.wide = document.documentElement.scrollWidth <= document.documentElement.clientWidth;
seen.figures = [...document.querySelectorAll('svg')].map(svg => svg.getBoundingClientRect().height);
document.body.setAttribute('data-seen', JSON.stringify(seen));
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason='no chromium on PATH: the page was not opened in a browser')
def test_sorting_and_filtering_work_in_a_browser(html, tmp_path):
  page = tmp_path / 'driven.html'
  page.write_text(html.replace('</body>', DRIVE))
  flags = ['--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={tmp_path / "profile"}']
  command = [CHROMIUM, *flags, '--window-size=1400,900', '--dump-dom', page.as_uri()]
  dumped = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
  reader = Balance()
  reader.feed(dumped)
  found = [v for tag, k, v in reader.attributes if k == 'data-seen']
  assert found, 'the script of the page stopped early'
  seen = json.loads(found[0])
  assert seen['before'][0] == 'fixmatch'
  up = [number(c) for c in seen['up']]
  assert up == sorted(up)
  assert seen['aria'] == 'ascending'
  down = [number(c) for c in seen['down']]
  assert down == sorted(down, reverse=True)
  assert seen['names'] == sorted(seen['names'])
  assert seen['empty'][-1] == '–'
  assert [number(c) for c in seen['empty'][:-1]] == sorted(number(c) for c in seen['empty'][:-1])
  assert len(seen['kept']) >= 2
  assert all('fixmatch' in row and 'cutout' in row for row in seen['kept'])
  assert re.fullmatch(r'\d+ of \d+ rows', seen['said'])
  assert seen['all']
  assert seen['wide'], 'the page scrolls sideways'
  assert len(seen['figures']) == 6
  assert min(seen['figures']) > 150
