"""The picture of the imports: what is read from the code, where it stands, and that it is up to date."""

import xml.etree.ElementTree as xml
from itertools import pairwise
from pathlib import Path

import pytest
import test_project

from ssl_bench.docs import ROOT, imports


@pytest.fixture
def package(tmp_path):
  """A package of four rooms: top imports middle and ground, middle imports ground inside a function."""
  texts = {
    '__init__.py': '',
    'ground.py': 'import os\n',
    'middle/__init__.py': '',
    'middle/one.py': 'def late():\n  from small.ground import os\n',
    'middle/two.py': 'from . import one\nfrom .. import alone\n',
    'alone.py': '',
    'top.py': 'import small.ground\nfrom small.middle.one import late\n',
  }
  for name, text in texts.items():
    path = tmp_path / 'small' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
  return tmp_path / 'small'


def test_imports_are_found_in_all_their_forms(package):
  assert imports.imports_of(package) == {
    'alone': set(),
    'ground': set(),
    'middle': {'ground', 'alone'},
    'top': {'ground', 'middle'},
  }


def test_a_room_stands_above_what_it_imports(package):
  graph = imports.imports_of(package)
  assert imports.layers_of(graph) == [['alone', 'ground'], ['middle'], ['top']]
  assert imports.needed_arrows(graph) == [('middle', 'alone'), ('middle', 'ground'), ('top', 'middle')]


def test_a_circle_is_named():
  with pytest.raises(ValueError, match='a -> b -> a'):
    imports.layers_of({'a': {'b'}, 'b': {'a'}})


def test_the_graph_is_that_of_the_test_of_directions():
  """Read a second time by the reader that `test_project` has."""
  graph = imports.imports_of(ROOT / 'ssl_bench')
  assert set(graph) == set(test_project.ROOMS)
  for room, others in graph.items():
    paths = [*(ROOT / 'ssl_bench' / room).rglob('*.py'), ROOT / f'ssl_bench/{room}.py']
    found = {
      name for path in paths if path.is_file() for name in test_project.own(imported(path, tops=False))
    }
    assert others == (found & set(graph)) - {room}, room


def imported(path: Path, tops: bool) -> set[str]:
  return test_project.imports_of(path, top=tops)


def test_the_picture_shows_every_room_once_and_no_box_over_another():
  graph = imports.imports_of(ROOT / 'ssl_bench')
  drawn = xml.fromstring(imports.draw(graph))
  names = [text.text for text in drawn.findall('.//{*}text')]
  assert sorted(names) == sorted(graph)
  boxes = [box.attrib for box in drawn.findall('.//{*}rect') if 'x' in box.attrib]
  places = sorted((float(box['y']), float(box['x'])) for box in boxes)
  for (y, x), (next_y, next_x) in pairwise(places):
    assert next_y > y or next_x - x >= imports.BOX
  width, height = float(drawn.attrib['width']), float(drawn.attrib['height'])
  assert all(0 <= x <= width - imports.BOX and 0 <= y <= height - imports.HEIGHT for y, x in places)
