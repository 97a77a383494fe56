"""Official files in a folder: each is checked by size and sha256 before a set is built from it."""

import hashlib
import lzma
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ssl_bench.data.added import is_tfds
from ssl_bench.data.formats import open_any
from ssl_bench.data.sources import comes_with, is_made, source_of
from ssl_bench.settings.signature import BadSetting


class Official(NamedTuple):
  """One official download: its address, size in bytes and sha256, as registered in TFDS."""

  url: str
  size: int
  sha256: str


# md5 of the decompressed idx files, which may be compressed in any way.
CONTENT_MD5 = {
  'mnist': {
    'train-images-idx3-ubyte': '6bbc9ace898e44ae57da46a324031adb',
    'train-labels-idx1-ubyte': 'a25bea736e30d166cdddb491f175f624',
    't10k-images-idx3-ubyte': '2646ac647ad5339dbf082846283269ea',
    't10k-labels-idx1-ubyte': '27ae3e4e09519cfbb04c329615203637',
  },
  'fashion_mnist': {
    'train-images-idx3-ubyte': 'f4a8712d7a061bf5bd6d2ca38dc4d50a',
    'train-labels-idx1-ubyte': '9018921c3c673c538a1fc5bad174d6f9',
    't10k-images-idx3-ubyte': '8181f5470baa50b63fa0f6fddb340f0a',
    't10k-labels-idx1-ubyte': '15d484375f8d13e6eb1aabb0c3f46965',
  },
}

# md5 of the files inside an archive, which may be given in its place.
EXTRACTED = {
  'cifar10': {
    'data_batch_1.bin': '5dd7e06a14cb22eb9f671a540d1b7c25',
    'data_batch_2.bin': '5ea93a67294ea407fff1d09f752e9692',
    'data_batch_3.bin': '942cd6a4bcdd0dd3c604fbe906cb4421',
    'data_batch_4.bin': 'ae636b3ba5c66a11e91e8cb52e771fcb',
    'data_batch_5.bin': '53f37980c15c3d472c316c40844f3f0d',
    'test_batch.bin': '803d5f7f4d78ea53de84dbe85f74fb6d',
  },
  # Of the version for Python, as torchvision registers them; those of the binary one were not found.
  'cifar100': {
    'train': '16019d7e3df5f24257cddd939b257f8d',
    'test': 'f0ef6b0ae62326f3e7ffdfab6717acfc',
    'meta': '7973b15100ade9c7d40fb424638fde48',
  },
}


def official_files(name: str) -> dict[str, Official]:
  """File name -> its address, size and checksum as registered in TFDS."""
  import tensorflow_datasets as tfds

  infos = tfds.builder_cls(name).url_infos
  return {info.filename: Official(url, int(info.size), info.checksum) for url, info in infos.items()}


def check_folder(folder: Path, name: str) -> None:
  """Raises `BadSetting` where the folder that should hold the official files of `name` is not there."""
  is_zip = not is_tfds(name) and not is_made(name) and source_of(name).kind == 'audio' and folder.is_file()
  if not folder.is_dir() and not is_zip:
    told = f'{name} comes with {comes_with(name)}'
    if is_tfds(name):
      told = 'give --from a folder with the files that TFDS downloads'
    elif not is_made(name):
      told = f'give --from a folder with {", ".join(source_of(name).files)}'
    raise BadSetting(f'there is no folder {folder}; {told}.')


def locate(name: str, folder: Path, expected: Mapping[str, Official]) -> dict[str, Path]:
  """File name -> verified path in `folder`; raises `BadSetting` with the first missing or wrong file.

  Where the archive is not there and files extracted from it are, those are taken.
  """
  there = lambda names: any((folder / name).is_file() for name in names)
  extracted = EXTRACTED.get(name, {})
  if there(extracted) and not there(expected):
    return _locate_extracted(name, folder, extracted)
  return {file: _locate(name, folder, file, official) for file, official in expected.items()}


def _locate_extracted(name: str, folder: Path, extracted: Mapping[str, str]) -> dict[str, Path]:
  for file, md5 in extracted.items():
    if not (folder / file).is_file():
      raise BadSetting(f'{folder} has no {file}; give all of {", ".join(extracted)}, or the archive.')
    if _content_md5(folder / file) != md5:
      raise BadSetting(f'{folder / file} is not the official file of {name}: its MD5 is not {md5}.')
  return {file: folder / file for file in extracted}


def _locate(name: str, folder: Path, file: str, official: Official) -> Path:
  content_md5 = CONTENT_MD5.get(name, {}).get(file.removesuffix('.gz'))
  stem = file.removesuffix('.gz')
  accepted = [file] + ([stem, f'{stem}.xz'] if content_md5 else [])
  present = [folder / candidate for candidate in accepted if (folder / candidate).is_file()]
  for path in present:
    if path.name == file and is_official(path, official):
      return path
    if content_md5 and _content_md5(path) == content_md5:
      return path
  if not present:
    raise BadSetting(f'{folder} has no {" or ".join(accepted)}; fetch it from {official.url}.')
  shared = ' (mnist, fashion_mnist and kmnist use the same file names: one folder each)'
  raise BadSetting(
    f'{present[0]} is not the official file of {name}: its checksum is wrong; download it again from '
    f'{official.url}{shared if "idx" in file else ""}.'
  )


def is_official(path: Path, official: Official) -> bool:
  """Whether size and sha256 are those that TFDS registers."""
  if path.stat().st_size != official.size:
    return False
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest() == official.sha256


def _content_md5(path: Path) -> str | None:
  digest = hashlib.md5(usedforsecurity=False)
  try:
    with open_any(path) as file:
      while block := file.read(1 << 20):
        digest.update(block)
  except (OSError, EOFError, lzma.LZMAError, zlib.error):  # another format than its name says, or cut short
    return None
  return digest.hexdigest()
