"""A grid's board is of its good records; the others are named."""

import json
from collections import Counter
from pathlib import Path

from ssl_bench.grid import command as whole
from ssl_bench.grid.engines.local import Local
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.run import Summary

RECORDS = Path(__file__).parents[2] / 'leaderboard' / 'records'


def test_a_bad_record_is_named_and_the_others_are_shown(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(
    whole, 'run_grid', lambda *_, **__: Summary(1, Counter(done=1), Counter(), Counter(), 0)
  )
  grid, folder = Grid('mine', ()), tmp_path / 'mine/records'
  folder.mkdir(parents=True)
  good = json.loads(next((RECORDS / 'digits/supervised').glob('*.json')).read_text())
  (folder / f'{good["id"]}.json').write_text(json.dumps(good))
  assert whole.run_whole(grid, tmp_path, Local(1), [], timing=False) == 0
  capsys.readouterr()
  (folder / 'x.json').write_text(json.dumps(good | {'labels': -5}))
  assert whole.run_whole(grid, tmp_path, Local(1), [], timing=False) == 1
  out = ' '.join(capsys.readouterr().out.split())
  assert f'Left out: {folder / "x.json"} is not a record of schema 2: labels must be greater' in out
  assert 'supervised' in out
  assert '1 trials' in (tmp_path / 'mine/leaderboard/README.md').read_text()
