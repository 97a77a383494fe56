"""Trees of arrays as flat dictionaries of NumPy arrays by path, and comparisons of two of them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def leaves(tree: Any) -> dict[str, Any]:
  """Leaves by path."""
  return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def plain(x: Any) -> Any:
  """The words of a key; any other array as it is."""
  is_key = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
  return jax.random.key_data(x) if is_key else x


def retype(tree: Any, dtype: str) -> Any:
  """NumPy arrays, those of floats in another precision."""
  arrays = jax.tree.map(np.asarray, tree)
  return jax.tree.map(lambda x: x.astype(dtype) if np.issubdtype(x.dtype, np.floating) else x, arrays)


def host(tree: Any) -> dict[str, np.ndarray]:
  """Leaves by path, as NumPy arrays; keys as their words."""
  return {path: np.asarray(plain(leaf)) for path, leaf in leaves(tree).items()}


def kinds(tree: Any) -> dict[str, tuple]:
  """Shape, dtype, weak type and sharding of each leaf."""
  weak = lambda x: getattr(x, 'weak_type', False)  # a key has none
  return {k: (x.shape, x.dtype, weak(x), str(x.sharding)) for k, x in leaves(tree).items()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
  """Equal bit for bit."""
  assert one.keys() == other.keys()
  for path in one:
    np.testing.assert_array_equal(one[path], other[path], err_msg=path)


def assert_near(one, other, rtol: float = 1e-4, atol: float = 1e-5) -> None:
  assert one.keys() == other.keys()
  for path in one:
    np.testing.assert_allclose(one[path], other[path], rtol=rtol, atol=atol, err_msg=path)


def assert_near_by_leaf(one, other, part: float = 3e-5, atol: float = 1e-5) -> None:
  """Each entry to a part of the largest of its leaf, or to `atol`, as sums of many terms round."""
  assert one.keys() == other.keys()
  for path in one:
    largest = np.abs(other[path]).max(initial=0.0) if np.issubdtype(other[path].dtype, np.inexact) else 0
    np.testing.assert_allclose(one[path], other[path], rtol=0, atol=max(atol, part * largest), err_msg=path)


def differs(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
  return any(not np.array_equal(one[path], other[path]) for path in one)
