"""Paths that a file names: relative ones are relative to the folder of that file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def is_path(text: Any) -> bool:
  """Whether an entry of `plugins` is the path of a file; a package is named by a single word."""
  return isinstance(text, str) and (text.endswith('.py') or '/' in text or os.sep in text)


def find_plugins(tree: Mapping[str, Any], file: Path) -> dict[str, Any]:
  """The settings of a file, with paths under `plugins`, a teacher's too, made ones from the working folder.

  What is not below the working directory becomes an absolute path.
  """
  out = dict(tree)
  if isinstance(out.get('plugins'), list):
    out['plugins'] = [_from_here(file.parent / p) if is_path(p) else p for p in out['plugins']]
  if isinstance(out.get('teacher'), Mapping):
    out['teacher'] = find_plugins(out['teacher'], file)
  return out


def _from_here(path: Path) -> str:
  full, here = Path(os.path.abspath(path)), Path.cwd()
  return full.relative_to(here).as_posix() if full.is_relative_to(here) else full.as_posix()
