"""Says of a config or a grid that is not in this folder whether its data set is there all the same."""

from pathlib import Path

from ssl_bench import plugins
from ssl_bench.data import added
from ssl_bench.data.catalog import added_names
from ssl_bench.data.sources import data_folder
from ssl_bench.settings.find import FOLDERS, PROTOCOL, is_file, named_folders
from ssl_bench.settings.signature import BadSetting


def check_configs(path: Path, kind: str) -> None:
  """Raises `BadSetting` where a path to no file names a set whose configs, or grid, are not in this folder.

  Args:
    path: what the user wrote, such as flowers/simclr of a config or flowers of a grid.
    kind: 'config' or 'grid'.
  """
  plain = path.with_suffix('') if path.suffix == '.yaml' else path
  if plain.parts[:1] == (FOLDERS[kind],):
    plain = plain.relative_to(FOLDERS[kind])
  place = plain.parent if kind == 'config' else plain
  if is_file(path) or len(place.parts) != 1:
    return
  if kind == 'config' and (is_file(path.parent / PROTOCOL) or named_folders(plain)):
    return
  known = {added.place_of(name): name for name in added_names(data_folder())}
  folder, said = f'{FOLDERS["config"]}/{place}', f'There is no {kind} {str(path)!r} in this folder'
  if name := known.get(str(place)):
    how = f'data prepare {name}' if added.is_tfds(name) else f'data add {name}'
    raise BadSetting(
      f'{said}, but the data set {name!r} is there; run this in the folder where `ssl-bench {how}` was run, '
      f'run that command again here, or copy {folder} and {FOLDERS["grid"]}/{place}.yaml to here.'
    )
  if kind == 'config' and str(place) in plugins.names('datasets'):
    raise BadSetting(
      f'{said}, and none is shipped for the data set {str(place)!r}; write {folder}/{PROTOCOL}, which says '
      f'what its methods share, or give the config of another set with dataset={place}.'
    )
