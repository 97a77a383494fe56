"""`ssl-bench init`: a copy of the shipped configs, experiments and tables, to edit."""

import os
import shlex
import shutil
from pathlib import Path

from ssl_bench.settings.find import FOLDERS, shipped
from ssl_bench.settings.signature import BadSetting


def copy_shipped(folder: Path) -> list[str]:
  """Copies what is shipped to `folder`, which is made where it is not there.

  Returns:
    Lines that say what was written and what to do next.

  Raises:
    BadSetting: if `folder` has one of these folders already, or is no folder; nothing is written then.
  """
  if folder.exists() and not folder.is_dir():
    raise BadSetting(f'{folder} is a file; name a folder, which is made where it is not there.')
  for name in FOLDERS.values():
    if os.path.lexists(folder / name):
      raise BadSetting(f'{folder / name} is there and stays as it is; name another folder.')
  folder.mkdir(parents=True, exist_ok=True)
  lines = []
  for kind, name in FOLDERS.items():
    shutil.copytree(shipped(name), folder / name)
    count = sum(path.name[0] != '_' for path in (folder / name).glob('**/*.yaml'))
    lines.append(f'{folder / name}: {count} {kind}s')
  move = '' if folder.resolve() == Path.cwd() else f'cd {shlex.quote(str(folder))} && '
  return [*lines, f'Edit them; there they win over the shipped ones: {move}ssl-bench train digits/fixmatch']
