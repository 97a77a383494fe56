"""What is generated and committed is up to date, and says what the records say."""

import csv
import json
import math
import statistics
import xml.etree.ElementTree as xml
from decimal import ROUND_HALF_UP, Decimal

import pytest
from scipy.stats import t

from ssl_bench.docs import ROOT, committed, overview
from ssl_bench.records.record import gather

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
  'name', ['README.md', 'docs/architecture.md', 'docs/images/imports.svg', 'docs/images/accuracy.svg']
)
def test_what_is_committed_is_up_to_date(name):
  assert (ROOT / name).read_text(encoding='utf-8') == committed.generate()[name], 'run: make generate'


def accuracy_of(record):
  metrics = record['metrics']
  return (
    metrics['accuracy'] if record['family'] != 'self-supervised' else metrics['linear_budget']['accuracy']
  )


def test_the_result_table_is_of_the_records():
  """Mean and Student-t interval once more, from the records of the grid that the table is about."""
  records, _ = gather([ROOT / 'leaderboard/records/digits'])
  for line in overview.result_table().splitlines()[2:]:
    method, *cells = (part.strip(' `') for part in line.strip('|').split('|'))
    for labels, text in zip(overview.LABELS, cells):
      found = usual(records, method, labels)
      values = [100 * accuracy_of(record) for record in found]
      assert len(values) >= 10 and len({record['config']['split_seed'] for record in found}) == len(values)
      half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
      half_up = lambda value: Decimal(f'{value:.9f}').quantize(Decimal('0.1'), ROUND_HALF_UP)
      assert text == f'{half_up(statistics.mean(values))} ± {half_up(half)}', (method, labels)


def usual(records, method, labels):
  """The records of a method without options whose settings most of them have at this number of labels."""
  groups = {}
  for record in records:
    config = record['config']
    plain = not any(value is True for value in config['method'].values())
    if plain and (config['method']['name'], config['labels'], record['protocol']) == (
      method,
      labels,
      'budget',
    ):
      own = {k: v for k, v in config.items() if k not in ('seed', 'split_seed', 'checkpoint')}
      groups.setdefault(json.dumps(own, sort_keys=True), []).append(record)
  return max(groups.values(), key=len)


def test_the_picture_shows_what_the_table_says():
  drawn = xml.fromstring(overview.picture())
  names = [text.text for text in drawn.findall('.//{*}text')]
  assert set(overview.METHODS) < set(names)
  assert len(list(drawn.findall('.//{*}circle'))) == len(overview.METHODS) * len(overview.LABELS)
  assert len((ROOT / 'docs/images/accuracy.svg').read_bytes()) < 20_000


def test_a_file_without_its_marks_is_refused(tmp_path, monkeypatch):
  monkeypatch.setattr(committed, 'ROOT', tmp_path)
  (tmp_path / 'README.md').write_text('<!-- results: here -->\nold\n<!-- end -->\nrest\n')
  assert (
    committed._between('README.md', 'results', 'new') == '<!-- results: here -->\n\nnew\n<!-- end -->\nrest\n'
  )
  with pytest.raises(ValueError, match=r'README\.md must have one part'):
    committed._between('README.md', 'rooms', 'new')


def test_published_rows_are_shown_as_they_stand_in_the_file():
  from ssl_bench.docs.results import published_table

  with (ROOT / 'leaderboard/published.csv').open(encoding='utf-8', newline='') as file:
    rows = [row for row in csv.DictReader(file) if row['method'] == 'flexmatch']
  shown = published_table('flexmatch').splitlines()[2:]
  assert len(shown) == len(set(map(tuple, map(dict.values, rows))))
  numbers = sorted(float(line.split('|')[4].split('±')[0]) for line in shown)
  wanted = sorted(
    round(100 - float(r['value']) if r['metric'] == 'error' else float(r['value']), 2) for r in rows
  )
  assert numbers == wanted
