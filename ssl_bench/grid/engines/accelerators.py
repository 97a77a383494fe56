"""The GPUs of this machine, and which of them each worker process sees."""

import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

QUERY = ('nvidia-smi', '--query-gpu=index', '--format=csv,noheader')
SHARE = 0.9  # of a GPU's memory that the workers on it take together
FRACTIONS = ('XLA_CLIENT_MEM_FRACTION', 'XLA_PYTHON_CLIENT_MEM_FRACTION', 'XLA_PYTHON_CLIENT_PREALLOCATE')


def visible() -> tuple[str, ...]:
  """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty where nobody tells."""
  given = os.environ.get('CUDA_VISIBLE_DEVICES')
  if given is None:
    try:
      done = subprocess.run(QUERY, capture_output=True, encoding='utf-8', timeout=30)
    except (OSError, subprocess.TimeoutExpired):
      return ()
    given = '' if done.returncode else ','.join(done.stdout.split())
  names = (name.strip() for name in given.split(','))
  return tuple(takewhile(lambda name: name not in ('', '-1'), names))  # CUDA sees none after a bad one


def environments(workers: int, devices: Sequence[str]) -> list[dict[str, str]]:
  """What each worker's environment says of GPUs, which are shared out evenly.

  Where there are more GPUs than workers, each worker trains on several.  Where there are fewer, workers share
  one, and each takes its part of the memory, unless the environment says already how much one takes.
  """
  if not devices:
    return [{} for _ in range(workers)]
  count = len(devices)
  if workers <= count:
    shares = [','.join(devices[k * count // workers : (k + 1) * count // workers]) for k in range(workers)]
  else:
    shares = [devices[k % count] for k in range(workers)]
  on, found = Counter(shares), []
  for share in shares:
    found.append({'CUDA_VISIBLE_DEVICES': share})
    if on[share] > 1 and not any(name in os.environ for name in FRACTIONS):
      found[-1]['XLA_CLIENT_MEM_FRACTION'] = f'{SHARE / on[share]:.3f}'
  return found
