"""Copies configs, experiments, tables and published numbers into a wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ('configs', 'experiments', 'tables', 'leaderboard/published.csv', 'leaderboard/reproduced')


class BuildWithShipped(build_py):
  """Builds the package with what `ssl_bench.settings.find.shipped` looks for in it."""

  def run(self):
    super().run()
    if self.editable_mode:  # such an install reads them where they stand
      return
    shipped = Path(self.build_lib, 'ssl_bench', 'shipped')
    shutil.rmtree(shipped, ignore_errors=True)  # an earlier build may have left files that are gone since
    for name in SHIPPED:
      copy = shutil.copytree if Path(name).is_dir() else shutil.copyfile
      (shipped / name).parent.mkdir(parents=True, exist_ok=True)
      copy(name, shipped / name)


setup(cmdclass={'build_py': BuildWithShipped})
