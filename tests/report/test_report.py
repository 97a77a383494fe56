"""The report of committed records: what the page says against the record, and that it is sound HTML."""

import gzip
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from support.cli import ROOT, run
from support.document import Page

from ssl_bench import data
from ssl_bench.records import record
from ssl_bench.report.page import about, page, report
from ssl_bench.report.trial import Trial

BOARD = ROOT / 'leaderboard/records'
FIXMATCH = BOARD / 'digits/fixmatch/794d751e09e06877.json'


@pytest.fixture(scope='module')
def html():
  return report(FIXMATCH)


@pytest.fixture(scope='module')
def tree():
  return json.loads(FIXMATCH.read_text())


@pytest.fixture(scope='module')
def curves():
  return json.loads(gzip.open(FIXMATCH.with_suffix('.curves.json.gz')).read())


def test_the_page_is_whole_and_asks_for_nothing(html):
  found = Page(html)
  assert '://' not in html and '<script' not in html and 'url(' not in html.replace('url(#', '')
  assert len(set(found.ids)) == len(found.ids)
  links = [given['href'][1:] for tag, given in found.tags if tag == 'a']
  assert len(links) > 8 and set(links) <= set(found.ids)
  drawings = [given for tag, given in found.tags if tag == 'svg']
  assert len(drawings) > 12 and all(len(given.get('aria-label', '')) > 20 for given in drawings)
  assert all('fill: currentColor' in style for style in styles_of_texts(html))
  assert all(given.get('scope') in ('col', 'row') for tag, given in found.tags if tag == 'th')
  assert found.text.count('\x00') == 0 and 'DejaVu' not in html


def test_what_is_wrong_with_the_data_is_said_first(tree):
  assert '; under label_noise: 0.4; net convnet' in about(Trial('', tree, '', '', ''))
  plain = tree | {'config': tree['config'] | {'stress': None}}
  assert 'under' not in about(Trial('', plain, '', '', ''))


def drawn_texts(html: str) -> str:
  return ' '.join(re.findall(r'<text[^>]*>([^<]*)</text>', html))


def styles_of_texts(html: str) -> list[str]:
  """Of every text of a drawing: without a color it would be black, on a dark page too."""
  return re.findall(r'<text[^>]*style="([^"]*)"', html)


def test_two_calls_write_the_same_bytes(html):
  assert report(FIXMATCH) == html


def test_the_main_numbers_are_the_record_s(html, tree):
  found, metrics = Page(html), tree['metrics']
  told = {row[0]: row[1] for row in found.tables['What a board shows first'][1:]}
  n, p, z = tree['split']['test'], metrics['accuracy'], 1.959963984540054
  half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))  # Wilson's interval
  center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
  assert told['accuracy, %'] == f'{100 * p:.2f}'
  assert told['95 % interval, %'] == f'{100 * (center - half):.1f} to {100 * (center + half):.1f}'
  assert told['NLL'] == f'{metrics["nll"]:.3f}' and told['ECE'] == f'{metrics["ece"]:.3f}'
  assert told['parameters'] == f'{tree["cost"]["parameters"]:,}'
  assert told['kNN, %'] == f'{100 * metrics["knn"]["20"]:.2f}'


def test_every_column_of_the_curves_has_a_panel_with_its_last_value(html, curves):
  found = Page(html)
  said = [given['aria-label'] for tag, given in found.tags if tag == 'svg']
  for table in ('curve', 'evaluations'):
    for name in curves[table][0]:
      if name == 'step':
        continue
      title = name.replace('_accuracy', ' accuracy')
      (own,) = [text for text in said if re.match(rf'{title}(, %)?\. ', text)]
      last = curves[table][-1]
      if isinstance(last[name], float):
        number = float(re.search(rf'([\d.,]+) at step {last["step"]:,};', own)[1].replace(',', ''))
        factor = 100 if '%' in own else 1
        assert number == pytest.approx(factor * last[name], rel=1e-3)
  (own,) = [text for text in said if text.startswith('pseudo/precision_by_class')]
  assert f'{len(curves["curve"][-1]["pseudo/precision_by_class"])} classes' in own


def test_a_curve_is_drawn_where_its_rows_say(html, curves):
  """The points of the SVG, as matplotlib wrote them, against the rows: equal up to the axes' scale."""
  drawn = re.search(r'aria-label="loss\. .*?</svg>', html, re.DOTALL)[0]
  (path,) = [
    found[1]
    for found in re.finditer(r'<path d="(M [^"]*?)"[^>]*style="fill: none; stroke: var\(--c1\)', drawn)
  ]
  x, y = np.array(re.findall(r'[ML] ([\d.]+) ([\d.]+)', path), float).T
  steps = np.array([row['step'] for row in curves['curve']])
  losses = np.array([row['loss'] for row in curves['curve']])
  right = np.interp(x, [x[0], x[-1]], [steps[0], steps[-1]])
  assert abs(np.corrcoef(y, np.interp(right, steps, losses))[0, 1] + 1) < 1e-3  # SVG's y goes down


def test_what_is_not_there_is_a_sentence(html):
  text = Page(html).text
  assert 'The record holds no confusion matrix, and none can be computed. The record keeps no pred' in text
  assert 'No examples are shown. The record keeps no predictions.' in text
  assert 'There is no map. The folder of the record has no usable checkpoint of its last step.' in text
  assert 'Compiling and training took longer than from start to record' in text  # 54 + 26 s in 30 s


def test_all_settings_and_versions_are_there(html, tree):
  found = Page(html)
  told = {row[0]: row[1] for row in found.tables['Settings'][1:]}
  assert told['optimizer.lr'] == '0.1' and told['stress.label_noise'] == '0.4'
  assert told['augment.strong'] == tree['config']['augment']['strong']
  told = {row[0]: row[1] for row in found.tables['Data, versions, environment'][1:]}
  assert told['environment.packages.jax'] == tree['environment']['packages']['jax']
  assert told['split.hash'] == tree['split']['hash'] and told['time.started'] == tree['time']['started']


def test_two_trials_stand_beside_each_other_with_what_differs(tree):
  other = next(p for p in sorted((BOARD / 'digits/supervised').glob('*.json')))
  second = json.loads(other.read_text())
  html = report(FIXMATCH, other)
  found = Page(html)
  assert all('fill: currentColor' in style for style in styles_of_texts(html))
  head, *rows = found.tables['What a board shows first']
  assert head == ['measure', 'A', 'B', 'B − A', 'better']
  told = {row[0]: row[1:] for row in rows}
  a, b = (one['metrics']['nll'] for one in (tree, second))
  assert told['NLL'] == [f'{a:.3f}', f'{b:.3f}', f'{b - a:+.3f}', 'lower']
  change = 100 * (second['metrics']['accuracy'] - tree['metrics']['accuracy'])
  assert told['accuracy, %'][2] == f'{change:+.2f}'
  differs = {row[0]: row[1:] for row in found.tables['Settings that are not the same'][1:]}
  assert differs['method.name'] == ['fixmatch', 'supervised']
  assert 'config.dataset' not in differs and 'dataset' not in differs and 'versions.protocol' not in differs
  assert 'A: fixmatch, 794d751e' in found.text and f'B: supervised, {second["id"][:8]}' in found.text
  (loss,) = [g['aria-label'] for t, g in found.tags if t == 'svg' and g['aria-label'].startswith('loss. ')]
  assert ' A: ' in loss and ' B: ' in loss


WORD = '<img src=x onerror=alert(1)>"\'&$x^{$'


@pytest.mark.filterwarnings('error')
def test_text_of_a_record_is_escaped(tmp_path):
  """Every text that a person may write in a record is an attack."""
  tree = record.read_with_curves(FIXMATCH)
  tree['environment']['packages'] = {WORD: WORD}
  tree['curve'] = [{'step': s, 'loss': 2.0 / s, f'loss/{WORD}': 1.0, 'pseudo/x': [0.5, None]} for s in (1, 2)]
  tree['grid'] = WORD
  whole = report(record.write(tree, tmp_path))
  tree['config'] |= {'dataset': WORD, WORD: WORD, 'method': {'name': WORD}}  # which no reader would take
  names = tuple(f'{k} $x^{{$ 数字 {WORD}' for k in range(10))
  dataset = data.load('digits')._replace(label_names=names)
  for html in (whole, page([Trial('', tree, 'None.', dataset, dataset.test_images.reshape(400, -1))])):
    found = Page(html)
    assert WORD in found.text and f'loss/{WORD}' in found.text
    assert not [given for tag, given in found.tags if tag == 'img' or 'onerror' in given]
  assert f'3 $x^{{$ 数字 {WORD}' in found.text and '3 $x^{$ 数字' in drawn_texts(html)


@pytest.mark.parametrize('status', ['failed', 'diverged'])
def test_a_trial_that_ended_badly_has_a_report(tmp_path, status):
  tree = record.read_with_curves(FIXMATCH) | {'status': status, 'error': 'The loss was nan at step 120.'}
  tree |= {'metrics': {}, 'cost': {}, 'evaluations': []}
  tree['curve'] = [{'step': 100, 'loss': math.nan}, {'step': 120, 'loss': math.inf}]
  text = Page(report(record.write(tree, tmp_path))).text
  assert f'The trial {status}: The loss was nan at step 120.' in text
  assert 'The record holds none of the main numbers.' in text
  assert 'The record holds no reliability' in text and 'There is no map. The trial did not end well' in text


def test_the_command_writes_where_it_is_told(tmp_path, monkeypatch, capsys, html):
  code, out, errors = run(monkeypatch, capsys, 'report', FIXMATCH, '--out', tmp_path / 'deep/page.html')
  assert (code, errors) == (0, '') and 'Report:' in out
  assert (tmp_path / 'deep/page.html').read_text(encoding='utf-8') == html
  monkeypatch.chdir(tmp_path)
  assert run(monkeypatch, capsys, 'report', FIXMATCH, '--map', 'none')[0] == 0
  assert 'The map was not asked for.' in Path('794d751e09e06877.html').read_text(encoding='utf-8')


def test_a_wrong_call_is_one_sentence(tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  Path('empty').mkdir()
  Path('broken.json').write_text('{"schema": 2}')
  for words, sentence in (
    (['there.json'], 'there.json is not a readable record: it is no file.'),
    (['broken.json'], 'broken.json is not a record of schema 2'),
    (['0123456789'], "There is no record '0123456789'"),
    (['empty'], 'empty has no records; name a run folder, such as runs/train, or a record.'),
    (['empty', FIXMATCH], 'The reports of a run folder go to empty/reports'),
    ([FIXMATCH, 'empty'], 'The reports of a run folder go to empty/reports'),
    (['empty', '--out', 'x.html'], 'leave out the second record and --out.'),
    ([FIXMATCH, '--out', 'x.json'], '--out names a page, such as report.html, not x.json.'),
    ([FIXMATCH, FIXMATCH], 'The two records are one'),
  ):
    code, out, errors = run(monkeypatch, capsys, 'report', *words)
    assert code == 2 and not out and sentence in errors and errors.count('\n') == 1, errors
  assert sorted(path.name for path in Path().iterdir()) == ['broken.json', 'empty']
