"""Where records lie: their paths as a page tells them, and their curves, read when they are asked for."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ssl_bench.records import curves
from ssl_bench.settings.find import shipped
from ssl_bench.settings.signature import BadSetting


class Sources:
  """The files of records under some folders, by the id of the record that each is named after."""

  def __init__(self, folders: Iterable[Path], records: Iterable[Mapping[str, Any]]) -> None:
    self._records = {record['id']: record for record in records}
    self._paths: dict[str, tuple[Path, Path]] = {}
    for folder in folders:
      for path in sorted(folder.rglob('*.json')):
        if path.stem in self._records:
          self._paths.setdefault(path.stem, (folder, path))

  def files(self) -> dict[str, str]:
    """Id of a record -> its path, as a user would type it; never one that names this machine."""
    return {name: _told(folder, path) for name, (folder, path) in self._paths.items()}

  def curves(self, name: str) -> Mapping[str, Any] | None:
    """The learning curves of a record; None where its file has none, or they are not sound."""
    if name not in self._paths:
      return None
    try:
      return curves.read(self._paths[name][1], self._records[name])
    except BadSetting:
      return None


def _told(folder: Path, path: Path) -> str:
  """The path below a folder that was named relatively; else from the folder's own name, or that shipped."""
  if not folder.is_absolute():
    return path.as_posix()
  root = shipped('')
  inside = path.is_relative_to(root / 'leaderboard')
  return path.relative_to(root if inside else folder.parent).as_posix()
