"""The suspects as a page of pictures: one HTML file that needs no other."""

import base64
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.builders import png
from ssl_bench.data.checking.findings import Findings, inputs_of
from ssl_bench.data.checking.report import FOUND, report
from ssl_bench.data.text import detokenize

MOST = 100  # pictures of a kind that a page shows; the JSON has all


def page(data: Dataset, found: Findings, most: int = MOST) -> str:
  """The findings on a set as HTML: pairs side by side, and labels beside what is suggested."""
  from jinja2 import Environment, PackageLoader, StrictUndefined

  arrays = inputs_of(data)
  show = lambda place, label, origin: _shown(data, arrays, place, label, origin)
  sections = [
    ('Suspected wrong labels', _suspects(found, show)),
    ('Near-twins', _pairs(found, 'twins', show)),
    ('Equal inputs', _pairs(found, 'equal', show)),
    *((f'Inputs that are {said}', _alone(found, kind, show, data)) for kind, said in FOUND.items()),
  ]
  environment = Environment(
    loader=PackageLoader('ssl_bench.data.checking', '.'), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
  )  # fmt: skip
  return environment.get_template('page.html.j2').render(
    found=found,
    lines=report(found, some=0),
    sections=[{'title': t, 'items': items[:most], 'count': len(items)} for t, items in sections if items],
  )


def _name(data: Dataset, label: int) -> str:
  return 'no label' if label < 0 else f'{label} {data.label_names[label]}'


def _shown(
  data: Dataset, arrays: dict[str, np.ndarray], place: list, label: int, origin: str
) -> dict[str, str]:
  part, position = place
  one = np.asarray(arrays[part][position])
  shown = {'text': '', 'image': ''}
  if data.kind == 'image':
    shown['image'] = f'data:image/png;base64,{base64.b64encode(png(one)).decode()}'
  elif data.kind == 'tokens':
    shown['text'] = detokenize(one.ravel())
  return {**shown, 'where': f'{part} {position}', 'label': _name(data, label), 'origin': origin}


def _pairs(found: Findings, kind: str, show) -> list[dict[str, Any]]:
  """Pairs across parts come first."""
  pairs = sorted(found.get(kind, ()), key=lambda pair: pair['a'][0] == pair['b'][0])
  return Lazy(
    pairs,
    lambda pair: {
      'pictures': list(map(show, (pair['a'], pair['b']), pair['labels'], pair.get('from', ['', '']))),
      'note': f'correlation {pair["correlation"]:.2f}, distance {pair["relative"]:.2f}'
      if kind == 'twins'
      else '',
    },
  )


def _suspects(found: Findings, show) -> list[dict[str, Any]]:
  suspects = found.get('wrong_labels', {}).get('suspects', [])
  names = found['label_names']
  return Lazy(
    suspects,
    lambda one: {
      'pictures': [show(one['at'], one['given'], one.get('from', ''))],
      'note': f'suggested: {one["suggested"]} {names[one["suggested"]]} (margin {one["margin"]:.2f})',
    },
  )


def _alone(found: Findings, kind: str, show, data: Dataset) -> list[dict[str, Any]]:
  places = [[part, k] for part, kinds in found['inputs'].items() for k in kinds.get(kind, ())]
  told = [text for kinds in found.get('inputs_from', {}).values() for text in kinds.get(kind, ())]
  label = lambda part, k: -1 if part == 'unlabeled' else int(getattr(data, f'{part}_labels')[k])
  return Lazy(
    list(zip(places, told or [''] * len(places), strict=True)),
    lambda one: {'pictures': [show(one[0], label(*one[0]), one[1])], 'note': ''},
  )


class Lazy(list):
  """A list whose slice is made of its items only then: no picture is encoded that is not shown."""

  def __init__(self, items, make):
    super().__init__(items)
    self.make = make

  def __getitem__(self, which):
    return [self.make(item) for item in super().__getitem__(which)]
