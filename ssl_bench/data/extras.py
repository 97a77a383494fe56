"""Sets that are read from files inside another package: what they are, and where they lie if it is installed.

The package is found and never imported, so that what it depends on does not matter.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ssl_bench.settings.signature import BadSetting


class NotInstalled(BadSetting):
  """The package that holds a set's files is not installed, or not in a version that has them."""


class Package(NamedTuple):
  """A package: its name, how to install it, and the folder of its data."""

  name: str
  install: str
  folder: str


class Facts(NamedTuple):
  """What is known of a set without reading it; the sizes are those of its parts."""

  package: Package
  kind: str
  version: str
  shape: tuple[int, ...]
  classes: int
  train: int
  validation: int
  test: int
  license: str


RIVER = Package('river', "pip install 'ssl_bench[table]'", 'datasets')
# aeon 1.6 asks for numba < 0.64, which refuses the newest NumPy; its data files need neither.
AEON = Package('aeon', 'pip install --no-deps aeon', 'datasets/data')
DJANGO = Package('django', "pip install 'ssl_bench[text]'", '')
BSD = 'BSD-3-Clause (Django)'
TSAD = 'none stated (KDD Cup 2021)'
UCR = 'none stated (UCR archive)'

FACTS = {
  'segment': Facts(RIVER, 'table', '1.0.0', (18,), 7, 1_260, 350, 700, 'CC BY 4.0'),
  'phishing': Facts(RIVER, 'table', '1.0.0', (25,), 2, 850, 100, 300, 'CC BY 4.0'),
  'italy_power_demand': Facts(AEON, 'series', '1.0.0', (24, 1), 2, 47, 20, 1_029, UCR),
  'osu_leaf': Facts(AEON, 'series', '1.0.0', (427, 1), 6, 170, 30, 242, UCR),
  'arrow_head': Facts(AEON, 'series', '1.0.0', (251, 1), 3, 24, 12, 175, UCR),
  'gun_point': Facts(AEON, 'series', '1.0.0', (150, 1), 2, 34, 16, 150, UCR),
  'japanese_vowels': Facts(AEON, 'series', '1.0.0', (29, 12), 9, 180, 90, 370, 'CC BY 4.0'),
  'internal_bleeding': Facts(AEON, 'series', '1.0.0', (192, 1), 1, 193, 13, 739, TSAD),
  'interface_texts': Facts(DJANGO, 'tokens', '1.0.0', (64, 1, 1), 30, 15_602, 1_500, 3_000, BSD),
}


def folder_of(name: str) -> Path:
  """Where the files of a set lie; raises `NotInstalled`, with the command that installs them."""
  package = FACTS[name].package
  found = find_spec(package.name)
  for place in (found and found.submodule_search_locations) or ():
    folder = Path(place, package.folder)
    if folder.is_dir():
      return folder
  raise NotInstalled(
    f'{name} is read from the package {package.name}, which is not installed; run: {package.install}.'
  )
