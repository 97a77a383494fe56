"""What a trained state sees in held-out images: features and logits, in chunks of one shape."""

from typing import Any, NamedTuple

import jax
import numpy as np


class Seen(NamedTuple):
  """Features [n, d], float32, and logits [n, classes], or None where the method has no classifier."""

  features: np.ndarray
  logits: np.ndarray | None


def observe(program, state, numbers, images: np.ndarray) -> Seen:
  """Runs `program.observe` over uint8 images [n, H, W, C]; the last chunk is padded, its padding dropped."""
  size = 256 if jax.default_backend() == 'cpu' else 2048
  parts: list[Any] = []
  for start in range(0, len(images), size):
    chunk = np.asarray(images[start : start + size])
    padded = np.concatenate([chunk, np.zeros((size - len(chunk), *chunk.shape[1:]), chunk.dtype)])
    out = program.observe(state, numbers, padded)
    parts.append({k: v[: len(chunk)] for k, v in out.items()})
  whole = {k: np.concatenate([np.asarray(p[k]) for p in parts]) for k in parts[0]}
  return Seen(whole['features'], whole.get('logits'))


def views(program, key: int, images: np.ndarray) -> np.ndarray:
  """One strongly augmented view of each uint8 image, at most one chunk of them."""
  return np.asarray(program.jitter(jax.random.key(key), images))
