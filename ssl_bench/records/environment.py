"""The environment of a trial: packages, Python, commit, device, XLA's flags."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ssl_bench import numerics

PACKAGES = (
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'orbax-checkpoint',
  'numpy',
  'scipy',
  'scikit-learn',
  'ssl_bench',
)


def describe() -> dict[str, Any]:
  """Versions of packages and Python, the commit and whether files differ from it, the device, XLA's flags."""
  return {
    'packages': {name: version for name in PACKAGES if (version := _version(name))},
    'git': _git(),
    'python': sys.version.split()[0],
    'device': device(),
    'flags': numerics.flags(),
  }


def _version(name: str) -> str | None:
  try:
    return metadata.version(name)
  except metadata.PackageNotFoundError:
    return None


def _git() -> dict[str, Any] | None:
  """The commit of the checkout that the package lies in, or None."""

  def git(*words: str) -> str:
    command = ['git', '-C', str(Path(__file__).parent), *words]
    return subprocess.run(
      command, capture_output=True, encoding='utf-8', errors='replace', check=True, timeout=20
    ).stdout.strip()

  try:
    root = Path(git('rev-parse', '--show-toplevel'))
    if not (root / 'pyproject.toml').is_file() or root / 'ssl_bench' not in Path(__file__).parents:
      return None
    return {
      'commit': git('rev-parse', 'HEAD'),
      'dirty': bool(git('status', '--porcelain', '--', 'ssl_bench')),
    }
  except (OSError, subprocess.SubprocessError):
    return None


def device() -> dict[str, Any]:
  """The platform, the kind and the count of the devices; where they are of several processes, how many."""
  import jax

  first = jax.devices()[0]
  kind = _processor() if first.platform == 'cpu' else first.device_kind
  several = {'processes': jax.process_count()} if jax.process_count() > 1 else {}
  return {'platform': first.platform, 'kind': kind, 'count': jax.device_count(), **several}


def _processor() -> str:
  """The CPU's model name."""
  try:
    lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    return next(line.split(':', 1)[1].strip() for line in lines if line.startswith('model name'))
  except (OSError, StopIteration):
    return platform.processor() or platform.machine()
