"""What a pattern of training adds to a structure and to its numbers, where the config asks for one."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from ssl_bench.config import Config


def structure(config: Config) -> dict[str, Any]:
  """What is compiled."""
  added: dict[str, Any] = {}
  if rounds := config.federated:
    added['federated'] = {
      'clients': rounds.clients,
      'drawn': max(1, round(rounds.participation * rounds.clients)),
      'local_steps': rounds.local_steps,
      'proximal': rounds.proximal > 0,
      'together': jax.default_backend() != 'cpu',
    }
  if config.private:
    added['private'] = True
  return added


def numbers(config: Config) -> dict[str, Any]:
  """What is traced."""
  added: dict[str, Any] = {}
  if config.federated:
    added['proximal'] = config.federated.proximal
  if config.private:
    added['private'] = {'clip': config.private.clip, 'noise': config.private.noise}
  return added


def shapes(parts: Mapping[str, Any], shape: Callable) -> dict[str, Any]:
  """The shapes of `numbers`, of a structure."""
  added: dict[str, Any] = {}
  if 'federated' in parts:
    added['proximal'] = shape((), 'float32')
  if 'private' in parts:
    added['private'] = {'clip': shape((), 'float32'), 'noise': shape((), 'float32')}
  return added
