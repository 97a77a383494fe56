"""What a trained state sees in held-out images: features and logits, in chunks of one shape."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from ssl_bench import augment
from ssl_bench.kinds.graph import Graph, Nodes
from ssl_bench.training.program import Program


class Seen(NamedTuple):
  """Features [n, d], float32, and logits [n, classes], or None where the method has no classifier."""

  features: np.ndarray
  logits: np.ndarray | None


class Logits(NamedTuple):
  """Logits [n, classes] of a classifier on two parts."""

  validation: np.ndarray
  test: np.ndarray


def logits_of(validation: Seen, test: Seen) -> Logits:
  """The logits of what a classifier saw in two parts."""
  assert validation.logits is not None and test.logits is not None
  return Logits(validation.logits, test.logits)


def chunk_size(program: Program) -> int:
  """Images that are looked at together; of a graph all nodes, since a look computes the features of all."""
  if graph := program.structure.data.graph:
    return graph.nodes
  return 256 if jax.default_backend() == 'cpu' else 2048


def observe(program: Program, state: Any, numbers: Any, images: np.ndarray) -> Seen:
  """Runs `program.observe` over uint8 images [n, H, W, C]."""
  whole = in_chunks(lambda chunk: program.observe(state, numbers, chunk), images, chunk_size(program))
  return Seen(whole['features'], whole.get('logits'))


def embed(program: Program, state: Any, numbers: Any, kind: str, inputs: np.ndarray) -> np.ndarray:
  """Unit vectors [n, d] of uint8 images or tokens [n, …] in the space that both share; `kind` says which."""
  look = program.embed
  assert look is not None
  return in_chunks(lambda chunk: look(state, numbers, chunk, kind), inputs, chunk_size(program))['embedding']


def reconstruction_error(program: Program, state: Any, numbers: Any, images: np.ndarray) -> np.ndarray:
  """float32 [n]: how badly the method reconstructs each of uint8 images [n, H, W, C], over several draws."""
  look = program.reconstruction_error
  assert look is not None
  return in_chunks(lambda chunk: look(state, numbers, chunk), images, chunk_size(program))['error']


def in_chunks(
  look: Callable[[np.ndarray], Mapping[str, Any]], inputs: np.ndarray, size: int
) -> dict[str, np.ndarray]:
  """What `look` makes of inputs [n, …], in chunks of one size; the last is padded, its padding dropped."""
  parts: list[Any] = []
  for start in range(0, len(inputs), size):
    chunk = np.asarray(inputs[start : start + size])
    padded = np.concatenate([chunk, np.zeros((size - len(chunk), *chunk.shape[1:]), chunk.dtype)])
    parts.append({k: v[: len(chunk)] for k, v in look(padded).items()})
  return {k: np.concatenate([np.asarray(p[k]) for p in parts]) for k in parts[0]}


def views(
  policy: str, key: int, images: np.ndarray, kind: str = 'image', columns: tuple[int, ...] | None = None
) -> np.ndarray:
  """One view of each image [n, H, W, C], or other example as it is stored, under a policy."""
  return np.asarray(_viewer(policy, images.shape[-1], kind, columns)(jax.random.key(key), images))


def changed_graph(policy: str, key: int, graph: Graph) -> Graph:
  """One view of a graph under a policy."""
  return _graph_viewer(policy)(jax.random.key(key), graph)


@lru_cache
def _graph_viewer(policy: str) -> Callable[..., Graph]:
  operation = augment.compile_policy(policy, 1, 'graph')
  return jax.jit(lambda key, graph: operation(key, Nodes(graph, np.zeros(1, 'int32'))).graph)


@lru_cache
def _viewer(
  policy: str, channels: int, kind: str, columns: tuple[int, ...] | None
) -> Callable[..., jax.Array]:
  operation = augment.compile_policy(policy, channels, kind, columns)
  return jax.jit(lambda key, images: jax.vmap(operation)(jax.random.split(key, len(images)), images))
