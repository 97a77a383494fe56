"""A board is made from records alone, so it imports nothing that trains, nor what takes long to import."""

import subprocess
import sys
from pathlib import Path

RECORDS = Path(__file__).parents[2] / 'leaderboard/records'
SLOW = ('jax', 'flax', 'optax', 'scipy.stats', 'sklearn', 'pandas')
PROGRAM = """
import sys
from pathlib import Path
from ssl_bench.leaderboard.build import publish

out, *folders = map(Path, sys.argv[1:])
board = publish(folders, out)
print(len(board.sections), *sys.modules)
"""


def test_a_board_imports_no_jax_and_nothing_that_takes_long(tmp_path):
  """Of committed records with fingerprints of data at hand, failed trials, signs and a pattern's table."""
  folders = [RECORDS / name for name in ('digits/supervised', 'digits/simclr', 'gun_point', 'segment/vime')]
  out = subprocess.run(
    [sys.executable, '-c', PROGRAM, tmp_path, *folders], capture_output=True, text=True, encoding='utf-8'
  )
  assert out.returncode == 0, out.stderr
  sections, *loaded = out.stdout.split()
  assert int(sections) == 3 and (tmp_path / 'index.html').stat().st_size > 2**19
  assert 'ssl_bench.records.record' in loaded
  assert not [name for name in SLOW if name in loaded]
