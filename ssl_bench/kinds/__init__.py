"""The kinds of data: what one example is, how it is stored, and how a network reads it."""

from typing import Any, NamedTuple

from ssl_bench.settings.signature import BadSetting, short, suggest

__all__ = ['APART', 'DENSE', 'KINDS', 'RATE', 'SIZES', 'Kind', 'kind_of', 'read_shape', 'scale']


class Kind(NamedTuple):
  """One kind of data.

  * image: uint8 [height, width, channels].
  * tokens: whole numbers, uint8 [length, 1, 1].
  * graph: a node, by its position; see `Graph`.
  * series: float32 [length, channels], each channel standardized by mean and deviation of the training part.
  * audio: int16 [samples], a clip at 8,000 Hz; a network reads its log-mel spectrogram, float32 [frames,
    bands, 1], which is computed on the device; see `kinds.audio`.
  * table: float32 [values], a row.  A numeric column is one value, standardized in the same way; a column of
    categories has a value for each, 1 for its own and 0 for the others.  `Dataset.columns` says how many
    values each column has.  A missing entry is 0 everywhere: the mean, or no category.

  name: as a dataset says it.
  plural: how a sentence names examples of it.
  rank: number of axes of one stored example: 3 for an image [height, width, channels].
  stored: dtype of the arrays of a dataset.
  read: dtype of what a network reads.
  net: a net that reads it, as advice.
  dense: whether an example is an array of numbers that may be added and scaled, as pixels can.
  """

  name: str
  plural: str
  rank: int
  stored: str
  read: str
  net: str
  dense: bool = True


KINDS = {
  kind.name: kind
  for kind in (
    Kind('image', 'images', 3, 'uint8', 'float32', 'convnet'),
    Kind('tokens', 'tokens', 3, 'uint8', 'int32', 'sequence', dense=False),
    Kind('graph', 'nodes of a graph', 0, 'int32', 'float32', 'gcn', dense=False),
    Kind('series', 'series', 2, 'float32', 'float32', 'resnet1d'),
    Kind('audio', 'sounds', 1, 'int16', 'float32', 'convnet'),
    Kind('table', 'rows of a table', 1, 'float32', 'float32', 'mlp'),
  )
}


RATE = 8_000  # samples of a sound a second
DENSE = tuple(kind.name for kind in KINDS.values() if kind.dense)
APART = tuple(kind.name for kind in KINDS.values() if kind.name != 'graph')  # examples that stand alone
SIZES = {0: '[N]', 1: '[N, values]', 2: '[N, length, channels]', 3: '[N, H, W, C]'}  # of arrays, by rank


def kind_of(name: str) -> Kind:
  """A kind by its name; raises `BadSetting` for an unknown one."""
  if name not in KINDS:
    raise BadSetting(f'There is no kind of data {short(name)}; {suggest(name, KINDS)}')
  return KINDS[name]


def read_shape(shape: tuple[int, ...], kind: str) -> tuple[int, ...]:
  """The shape of an example as a network reads it, from that as it is stored."""
  if kind != 'audio':
    return shape
  from ssl_bench.kinds import audio  # imports jax

  return audio.frames(shape[0]), audio.BANDS, 1


def scale(examples: Any, kind: str = 'image') -> Any:
  """Examples as they are stored -> as a network reads them.

  uint8 images [0, 255] -> float32 [-1, 1], the pixel scale of every method (FixMatch's code); sounds, int16
  [..., samples] -> log-mel spectrograms float32 [..., frames, bands, 1]; tokens -> int32; nodes of a graph,
  and arrays that are float32 already, stay as they are.
  """
  if kind == 'tokens':
    return examples.astype('int32')
  stored = str(getattr(examples, 'dtype', None))
  if stored == KINDS['audio'].stored:
    from ssl_bench.kinds import audio  # imports jax

    return audio.spectrogram(examples)
  return examples.astype('float32') / 127.5 - 1 if stored == 'uint8' else examples
