"""The kinds of data: what one example is, how it is stored, and how a network reads it."""

from typing import Any, NamedTuple

from ssl_bench.settings.signature import BadSetting, short, suggest

__all__ = ['DENSE', 'KINDS', 'Kind', 'kind_of', 'scale']


class Kind(NamedTuple):
  """One kind of data.

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
  )
}


DENSE = tuple(kind.name for kind in KINDS.values() if kind.dense)


def kind_of(name: str) -> Kind:
  """A kind by its name; raises `BadSetting` for an unknown one."""
  if name not in KINDS:
    raise BadSetting(f'There is no kind of data {short(name)}; {suggest(name, KINDS)}')
  return KINDS[name]


def scale(examples: Any, kind: str = 'image') -> Any:
  """Examples as they are stored -> as a network reads them.

  uint8 images [0, 255] -> float32 [-1, 1], the pixel scale of every method (FixMatch's code); tokens ->
  int32; nodes of a graph, and arrays that are float32 already, stay as they are.
  """
  if kind == 'tokens':
    return examples.astype('int32')
  return examples.astype('float32') / 127.5 - 1 if getattr(examples, 'dtype', None) == 'uint8' else examples
