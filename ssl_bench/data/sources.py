"""The downloadable sets: version, sizes, license, official files of each, and the folder of any set."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from ssl_bench import plugins
from ssl_bench.data import added
from ssl_bench.settings.signature import BadSetting, short, suggest

PARTS_VERSION = 1  # how official splits are cut into parts; a new number decodes anew
BUNDLED = tuple(plugins.own_names('datasets'))  # they come with the installation
# Fingerprints of sets as they are made from the official files, or from what is installed, where known.
KNOWN = {
  'digits': '864fea3f68b8f13ac12c3007be754b9596143b2b18decfe91625264a6ee34f51',
  'digits_captions': '27065219af38828d9f0a7895a89a334910b63303262ac5c5752a9fd8b3cb7a36',
  'identifiers': '0652157162b90170d36f83309c8cc1c8b4cbbcb22a6d1ced19b8bd4728b97864',
  'internal_bleeding': '2bb63034e9783aab3f1353865f0d4438cff9549801ea68d70bba6810ec6623b2',
  'interface_texts': 'cfe284a6ee36e84d4856468870906f028453e6468bb16910d63c5f7b9bb396ce',
  'mnist': 'd9966b5bf81ece943c5b6aa7c81456edcec6b4e212db34fa33751b6410c93d38',
  'cifar10': '2af1be813df11bce164ba6bef735b6bf1ef5fa4bccc6cc797d0c8ded6719fb73',
  'cora': '0e82e4efb426a83c7ec56dd532494bbd69585495e25a768efbfa3f0a8fcb7d80',
  'citeseer': '9a5028a073ce9b3cced3c286756dfab1a2329481a9477b0c1afa6c0be458e9be',
  'spoken_digit': '9290860c62d900c45714f1fbbbe1b6e098f1dac76a6437dd3cd84677d01396be',
  'breast_cancer': 'e782ceb9b01a0133a210e3b35e6523d0ef2c5d943f149cd689b4c42e82593615',
  'wine': '4bdd3887625196fb7705a57a040d3f97ab2d72e25d20176559adaa01c090579e',
  'segment': 'b8a32492f516ba7ceb947ea5fdb0e704c1fa010ba58c9337260c42e92e16aa8f',
  'phishing': '47fa8674b5f69e266ba157269111fe4b0d516f0915722f87c263e516359b18ac',
  'italy_power_demand': '456b343c8cb9e00ee68d919b71ced6de09b4f73d0335cb42cd8a1973f2173e47',
  'osu_leaf': '037e5f2d991c9b20171f280c7d6adf24c250e687cffca675b52cfc90ed50595a',
  'arrow_head': '40af860de8b55f890c69a78dd8b388e678f67548e04173e036dff5f9e9f6f48b',
  'gun_point': '756d4573762866be71d363315f0cefb14f3252f1b1cf87d26aaea6d1789c874a',
  'japanese_vowels': '0f71bfdae9685500a9785e6d87dcd5b302e11d775bce599833aa3f5706a05632',
  'fashion_mnist': 'da88acc0f29267db999772dc0b796a0ef73c43e721a5c60923bb973abc4526af',
}


class Source(NamedTuple):
  """One set of TensorFlow Datasets (TFDS), under its official name and version.

  `train` images are the official training split less the `validation` images, which are class-balanced
  and fixed; `test` is the official test split.  `files` are the official downloads.
  """

  version: str
  shape: tuple[int, ...]
  classes: int
  train: int
  validation: int
  test: int
  files: tuple[str, ...]
  license: str
  unlabeled: int = 0
  kind: str = 'image'


IDX_FILES = tuple(f'{part}-ubyte.gz' for part in (
  'train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'
))  # fmt: skip
SVHN_FILES = ('train_32x32.mat', 'test_32x32.mat', 'extra_32x32.mat')
GRAY, COLOR = (28, 28, 1), (32, 32, 3)
CIFAR_LICENSE = 'none stated by the authors'
STL10_LICENSE = 'none stated; the images are from ImageNet (non-commercial research)'

SOURCES = {
  'mnist': Source('3.0.1', GRAY, 10, 55_000, 5_000, 10_000, IDX_FILES, 'CC BY-SA 3.0'),
  'fashion_mnist': Source('3.0.1', GRAY, 10, 55_000, 5_000, 10_000, IDX_FILES, 'MIT'),
  'kmnist': Source('3.0.1', GRAY, 10, 55_000, 5_000, 10_000, IDX_FILES, 'CC BY-SA 4.0'),
  'cifar10': Source('3.0.2', COLOR, 10, 45_000, 5_000, 10_000, ('cifar-10-binary.tar.gz',), CIFAR_LICENSE),
  'cifar100': Source('3.0.2', COLOR, 100, 45_000, 5_000, 10_000, ('cifar-100-binary.tar.gz',), CIFAR_LICENSE),
  # The test part of SVHN is imbalanced, as published; its `extra` split is prepared but not loaded.
  'svhn_cropped': Source('3.1.0', COLOR, 10, 68_257, 5_000, 26_032, SVHN_FILES, 'non-commercial use only'),
  # 100 of each class's 500 labeled images validate.  The official folds are cut to the other 4,000.
  'stl10': Source(
    '1.0.0', (96, 96, 3), 10, 4_000, 1_000, 8_000, ('stl10_binary.tar.gz',), STL10_LICENSE, unlabeled=100_000
  ),
}


PLANETOID_FILES = ('x', 'y', 'tx', 'ty', 'allx', 'ally', 'graph', 'test.index')
PLANETOID_LICENSE = 'MIT (the repository of the files)'


def _planetoid(name: str, shape: int, classes: int, train: int, unlabeled: int) -> Source:
  files = tuple(f'ind.{name}.{part}' for part in PLANETOID_FILES)
  return Source('1.0.0', (shape,), classes, train, 500, 1_000, files, PLANETOID_LICENSE, unlabeled, 'graph')


# The public split: 20 labels a class (fold 0), 500 nodes to validate and 1,000 to test.  Training is
# transductive.
SOURCES |= {
  'cora': _planetoid('cora', 1_433, 7, 1_208, 1_500),
  'citeseer': _planetoid('citeseer', 3_703, 6, 1_812, 1_515),  # 15 nodes have no label
  'pubmed': _planetoid('pubmed', 500, 3, 18_217, 1_500),
}


# Takes 5 to 49 of each digit and speaker, less 300 that validate, and takes 0 to 4.  TFDS' set of the name,
# 1.0.9, has five of the six speakers and one part, and the way through TFDS reads images alone.
SOURCES['spoken_digit'] = Source(
  '1.0.0', (8_192,), 10, 2_400, 300, 300, ('free-spoken-digit-dataset.zip',), 'CC BY-SA 4.0', kind='audio'
)


def is_made(name: str) -> bool:
  """Whether a set is made by a function: a bundled one, or one of a plugin."""
  return name in BUNDLED or name in plugins.outside_names('datasets')


def comes_with(name: str) -> str:
  """What a set that a function makes comes with."""
  return 'the installation' if name in BUNDLED else plugins.origin('datasets', name)


def unknown(name: str, root: Path) -> BadSetting:
  """What is said of a name that no dataset has, the added ones among those that are suggested."""
  known = {*plugins.names('datasets'), *added.names(root)}
  own = 'Sets of your own are added by `ssl-bench data add` on each machine, or shared by SSL_BENCH_DATA.'
  return BadSetting(f'There is no dataset {short(name)}; {suggest(name, sorted(known))} {own}')


def source_of(name: str) -> Source:
  """The source of a set; raises `BadSetting`, with the nearest name, where there is none."""
  if name not in SOURCES:
    raise plugins.unknown('datasets', name)
  return SOURCES[name]


def data_folder(data_dir: str | os.PathLike | None = None) -> Path:
  """The folder of all sets: the argument, else `SSL_BENCH_DATA`, else TFDS' own default."""
  home = os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
  return Path(data_dir or os.environ.get('SSL_BENCH_DATA') or home).expanduser()


def prepared_folder(name: str, root: Path) -> Path:
  """Where TFDS keeps the set's records."""
  return root / name / source_of(name).version


def decoded_folder(name: str, root: Path) -> Path:
  """Where the decoded parts lie as .npy files; raises `BadSetting` where no set has that name."""
  if name not in SOURCES:
    if folder := added.folder_of(name, root):
      return folder
    raise unknown(name, root)
  return root / 'ssl_bench' / name / source_of(name).version / f'parts-{PARTS_VERSION}'


def check_prepared(name: str, root: Path) -> None:
  """Raises `BadSetting` where TFDS' records are missing or broken, or only TensorFlow could read them."""
  info = prepared_folder(name, root) / 'dataset_info.json'
  if not info.is_file():
    raise BadSetting(missing(name, root))
  try:
    file_format = json.loads(info.read_bytes()).get('fileFormat', 'tfrecord')
  except (ValueError, AttributeError, RecursionError):
    raise BadSetting(
      f'{info} is broken: it should hold settings in JSON; remove {info.parent} and run: {how_to_get(name)}.'
    ) from None
  if file_format != 'array_record':
    raise BadSetting(
      f'{info.parent} holds {name} as {file_format}, which only TensorFlow reads; '
      f'set SSL_BENCH_DATA to another folder and prepare it there: {how_to_get(name)}.'
    )


def how_to_get(name: str) -> str:
  """The command that prepares the set, with the names of the files that it expects."""
  files = ', '.join(source_of(name).files)
  return f'ssl-bench data prepare {name} --from FOLDER (FOLDER holds {files}; without --from it downloads)'


def missing(name: str, root: Path) -> str:
  return f'{name} is not in {root}; get it with: {how_to_get(name)}.'
