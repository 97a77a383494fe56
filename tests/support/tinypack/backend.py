"""Builds the wheel of this package with the standard library alone, so that pip needs no network."""

import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent


def build_wheel(folder, config_settings=None, metadata_directory=None):
  project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
  stem = f'{project["name"]}-{project["version"]}'
  groups = project['entry-points'].items()
  points = '\n'.join(
    f'[{group}]\n' + '\n'.join(f'{k} = {v}' for k, v in own.items()) for group, own in groups
  )
  files = {str(p.relative_to(ROOT)): p.read_text() for p in sorted((ROOT / project['name']).rglob('*.py'))}
  told = {
    'METADATA': f'Metadata-Version: 2.1\nName: {project["name"]}\nVersion: {project["version"]}\n',
    'WHEEL': 'Wheel-Version: 1.0\nGenerator: backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    'entry_points.txt': points + '\n',
  }
  files |= {f'{stem}.dist-info/{name}': text for name, text in told.items()}
  record = f'{stem}.dist-info/RECORD'
  files[record] = ''.join(f'{name},,\n' for name in (*files, record))
  name = f'{stem}-py3-none-any.whl'
  with zipfile.ZipFile(Path(folder, name), 'w') as wheel:
    for path, text in files.items():
      wheel.writestr(path, text)
  return name
