"""`spoken_digit`, the Free Spoken Digit Dataset: ten digits by six speakers, 50 times each, at 8,000 Hz."""

import io
import re
import urllib.request
import wave
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ssl_bench.data.arrays import fingerprint
from ssl_bench.data.decode import save_all
from ssl_bench.data.meta import PARTS, Meta, Sizes
from ssl_bench.data.sources import KNOWN, source_of
from ssl_bench.data.split import cut
from ssl_bench.kinds import RATE
from ssl_bench.settings.signature import BadSetting

URL = 'https://github.com/Jakobovski/free-spoken-digit-dataset/archive/master.zip'
SECONDS = 60.0
NAME = re.compile(r'([0-9])_([a-z]+)_([0-9]+)\.wav')  # digit, speaker, take
TEST = range(5)  # the takes that are the official test part (the authors' README)
Clip = tuple[int, str, int]  # digit, speaker, take


def download(name: str, folder: Path) -> None:
  """Downloads the recordings; raises `BadSetting` where they cannot be had."""
  try:
    with urllib.request.urlopen(URL, timeout=SECONDS) as answer:
      (folder / source_of(name).files[0]).write_bytes(answer.read())
  except (OSError, ValueError) as error:
    raise BadSetting(
      f'cannot download {URL} ({getattr(error, "reason", error)}); fetch it elsewhere and run: '
      f'ssl-bench data prepare {name} --from FILE.'
    ) from None


def write(name: str, source: Path, folder: Path) -> None:
  """Writes the decoded parts into an empty folder, from the zip file of the recordings or their folder.

  Raises `BadSetting` for recordings that are missing, broken, or not those of this set.
  """
  expected, clips = source_of(name), read(source)
  if not clips:
    raise BadSetting(
      f'{source} holds no recordings such as 7_jackson_32.wav; give --from the file {expected.files[0]}, '
      'or a folder with it or with the recordings.'
    )
  arrays, speakers = arrays_of(clips, f'{name} {expected.version} validation', expected.validation)
  sizes = {part: len(arrays[f'{part}_images']) for part in PARTS}
  if any(sizes[part] != getattr(expected, part) for part in PARTS):
    count = expected.train + expected.validation + expected.test
    raise BadSetting(f'{source} holds {len(clips)} recordings, and {name} has {count:,}; give all of them.')
  found = fingerprint(arrays.items())
  if found != KNOWN.get(name, found):
    raise BadSetting(
      f'{source} holds other recordings than {name}: their fingerprint is {found[:8]}, not {KNOWN[name][:8]}.'
    )
  meta = Meta(
    version=expected.version,
    classes=expected.classes,
    label_names=tuple(map(str, range(expected.classes))),
    sizes=Sizes(**sizes, unlabeled=0),
    shape=expected.shape,
    fingerprint=found,
    folds=0,
    kind='audio',
    groups=speakers,
  )
  save_all(folder, arrays, meta)


def arrays_of(
  clips: Mapping[Clip, np.ndarray], salt: str, validation: int
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
  """The arrays of the decoded set, in the order of its fingerprint, and the names of the speakers.

  Clips are in the order of digit, speaker and take.  The test part is takes 0 to 4; a class-balanced
  validation part is drawn from the others by a hash of `salt`.
  """
  order = sorted(clips)
  speakers = tuple(sorted({speaker for _, speaker, _ in order}))
  labels = np.array([digit for digit, *_ in order], np.int32)
  groups = np.array([speakers.index(speaker) for _, speaker, _ in order], np.int32)
  waves = np.stack([in_the_middle(clips[clip], source_of('spoken_digit').shape[0]) for clip in order])
  is_test = np.array([take in TEST for *_, take in order])
  official, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
  held, rest = cut(labels[official], [validation], salt=salt, classes=10)
  places = {'train': (official, rest), 'validation': (official, held), 'test': (test, np.arange(len(test)))}
  arrays: dict[str, np.ndarray] = {}
  for part, (split, index) in places.items():
    at = split[index]
    arrays |= {f'{part}_images': waves[at], f'{part}_labels': labels[at]}
    arrays[f'{part}_index'] = index.astype(np.int32)
  return arrays | {
    f'{part}_groups': groups[split[index]] for part, (split, index) in places.items()
  }, speakers


def in_the_middle(clip: np.ndarray, length: int) -> np.ndarray:
  """int16 [length]: a clip with as much silence before as after it, or, of a longer one, its middle.

  An odd sample of silence is after the clip; of a longer clip one more is cut before.
  """
  before = (length - len(clip)) // 2
  if before < 0:
    return clip[-before : length - before]
  return np.pad(clip, (before, length - len(clip) - before))


def read(source: Path) -> dict[Clip, np.ndarray]:
  """The recordings in a zip file, or in or below a folder, or in a zip file there; int16 [samples] each."""
  clips: dict[Clip, np.ndarray] = {}
  for where, content in _files(source):
    match = NAME.fullmatch(where.rpartition('/')[2])
    if match:
      clips[int(match[1]), match[2], int(match[3])] = read_wave(content, where)
  return clips


def _files(source: Path) -> Iterator[tuple[str, bytes]]:
  """The name and the content of each recording."""
  if source.is_dir():
    yield from ((str(path), path.read_bytes()) for path in sorted(source.rglob('*.wav')))
    for path in sorted(source.glob('*.zip')):
      yield from _files(path)
    return
  try:
    with zipfile.ZipFile(source) as archive:
      names = [name for name in archive.namelist() if name.endswith('.wav')]
      yield from ((name, archive.read(name)) for name in names)
  except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
    raise BadSetting(f'{source} cannot be read as a zip file ({error}); fetch it again.') from None


def read_wave(content: bytes, where: str) -> np.ndarray:
  """int16 [samples] of a .wav file; raises `BadSetting` where it is none of 16 bits, mono, at 8,000 Hz."""
  try:
    with wave.Wave_read(io.BytesIO(content)) as file:
      form = file.getnchannels(), 8 * file.getsampwidth(), file.getframerate()
      samples = file.readframes(file.getnframes())
  except (wave.Error, EOFError) as error:
    raise BadSetting(
      f'{where} cannot be read as a .wav file ({error or "it ends early"}); fetch it again.'
    ) from None
  if form != (1, 16, RATE) or not samples:
    channels, bits, rate = form
    what = (
      f'{len(samples) // 2} samples of {bits} bits, {channels} channel{"s" * (channels != 1)}, at {rate:,} Hz'
    )
    raise BadSetting(f'{where} holds {what}; a recording has 16 bits, one channel and {RATE:,} Hz.')
  return np.frombuffer(samples, '<i2').astype(np.int16)
