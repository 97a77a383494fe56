"""The generated pages: one for each method, and all that a reader looks for on it."""

import re

import pytest

from ssl_bench import methods, nets
from ssl_bench.config import Config
from ssl_bench.docs import ROOT, hooks, measure_page, method_pages
from ssl_bench.settings.signature import settings_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def pages():
  return hooks.generated()


def test_there_is_a_page_for_every_method_and_the_index_links_to_it(pages):
  found = {path for path in pages if path.startswith('methods/')}
  assert found == {'methods/index.md', *(f'methods/{name}.md' for name in methods.names())}
  assert set(re.findall(r'\[`(\w+)`\]\(\1\.md\)', pages['methods/index.md'])) == set(methods.names())
  assert {name for names in method_pages.by_mechanism().values() for name in names} == set(methods.names())


def test_a_page_has_settings_checks_configs_and_numbers(pages):
  page = pages['methods/fixmatch.md']
  for name in settings_of(methods.get('fixmatch')):
    assert f'| `{name}` |' in page
  assert '| `loss/unsupervised` | `encoder`, `head` | `strong` |' in page
  assert 'configs/cifar10/fixmatch.yaml' in page and 'threshold: 0.95' in page
  assert re.search(r'\| `digits` \| budget \| 40 \| usual \| 10 \| 95\.\d\s±\s', page)
  assert 'variant=torchssl' in page  # of the known faults
  assert re.search(
    r'\| `cifar10` \| 40 \| accuracy \| [\d.]+\s±\s[\d.]+ \| – \| – \| 5 \| FixMatch paper', page
  )


def test_a_method_that_learns_nothing_has_a_page_too(pages):
  assert 'It learns nothing' in pages['methods/raw_pixels.md']
  assert 'It has no settings.' in pages['methods/raw_pixels.md']


def test_the_pages_are_a_pure_function_of_the_repository(pages):
  assert hooks.generated() == pages
  assert not [path for path, text in pages.items() if str(ROOT) in text]


def test_lists_name_all_there_is(pages):
  for name in nets.names():
    assert f'## {name}\n' in pages['reference/nets.md']
  for name in Config.model_fields:
    assert re.search(rf'\| `{name}[`.]', pages['reference/settings.md']), name
  assert '| `mnist` | 3.0.1 | 28×28×1 | 10 | 55,000 | 5,000 | 10,000 |' in pages['reference/datasets.md']
  assert '`metrics.scaled.ece`' in measure_page.page()


def test_tables_are_whole(pages):
  """Every line of a table has as many cells as its head."""
  for path, text in pages.items():
    for table in re.findall(r'(?:^\|.*\n)+', text, re.MULTILINE):
      widths = {len(re.findall(r'(?<!\\)\|', line)) for line in table.splitlines()}
      assert len(widths) == 1, (path, table[:300])


def test_known_faults_are_of_methods_that_there_are():
  assert set(method_pages.pitfalls()) <= set(methods.names())
  assert len(method_pages.pitfalls()) >= 15


def test_links_between_pages_lead_to_pages(pages):
  written = {
    path.relative_to(ROOT / 'docs').as_posix(): path.read_text('utf-8')
    for path in (ROOT / 'docs').rglob('*.md')
  }
  for path, text in (written | pages).items():
    for target in re.findall(r'\]\((?!https?:)([^)#]+\.(?:md|svg))', text):
      there = (ROOT / 'docs' / path).parent / target
      known = there.resolve().relative_to((ROOT / 'docs').resolve()).as_posix()
      assert there.resolve().is_file() or known in pages, (path, target)


def test_contributing_keeps_its_links_into_the_docs_only():
  text = '[a](docs/faq.md#x) [b](src/c.py) [d](https://e.org) [f](#g)'
  assert hooks.contributing(text) == '[a](faq.md#x) b [d](https://e.org) [f](#g)'
