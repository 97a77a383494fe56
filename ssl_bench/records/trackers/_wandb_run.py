"""The process of its own in which W&B is told of records.

W&B keeps global state (environment, hooks, a service process, caches), prints, and may hang.  So it runs in
a short-lived child, `python -m ssl_bench.records.trackers._wandb_run`, that the module `wandb` beside this
one starts, watches and, where it must, ends.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ssl_bench.records.trackers._contents import Contents, Tree, contents, draw_reliability
from ssl_bench.stop import die_with_parent

INIT_TIMEOUT = 10  # seconds until a server that does not answer is given up
FINISH_TIMEOUT = 60  # seconds for one run's upload
NICE = 10  # training goes first


def tell(
  record_id: str, told: Contents, *, mode: str, project: str, folder: Path, temporary: Path, checkpoint: str
) -> None:
  """Writes one finished run under `folder`/wandb, in place of one of the same id and mode."""
  import wandb

  forget(record_id, mode, folder)
  where: Tree = {'id': record_id, 'project': project, 'mode': mode, 'dir': folder}
  run = wandb.init(**where, **told.about, config=told.config, settings=settings_of(wandb))
  for step, values in told.history:
    run.log(values, step=step)
  finish(run, told, temporary, checkpoint)


def forget(record_id: str, mode: str, folder: Path) -> None:
  """Removes what is left on this machine of a run."""
  for stale in (folder / 'wandb').glob(f'{"offline-" * (mode == "offline")}run-*-{record_id}'):
    shutil.rmtree(stale)


def finish(run: Any, told: Contents, temporary: Path, checkpoint: str) -> None:
  """Adds what a record says beside its history to an open run, and a checkpoint if there is one; ends it."""
  import wandb

  media: Tree = {k: wandb.Table(columns=c, data=rows) for k, (c, rows) in told.tables.items()}
  if 'tables/reliability' in told.tables:
    path = draw_reliability(*told.tables['tables/reliability'], temporary / f'{run.id}.png')
    media['plots/reliability'] = wandb.Image(str(path))
  if media:
    run.log(media, step=max(run.starting_step, told.history[-1][0] if told.history else 0))
  if checkpoint:
    keep(run, f'checkpoint-{run.id}', 'model', Path(checkpoint))
  run.summary.update(told.summary)
  run.finish(exit_code=told.exit_code)


def keep(run: Any, name: str, kind: str, place: Path) -> None:
  """Uploads a folder as an artifact of a run."""
  import wandb

  artifact = wandb.Artifact(name, type=kind)
  artifact.add_dir(str(place), skip_cache=True, policy='immutable')
  run.log_artifact(artifact)


def tell_board(run_id: str, about: Tree, place: Path, *, mode: str, project: str, folder: Path) -> None:
  """Uploads a board as an artifact of a run of its own, in place of what an earlier run of that id held."""
  import wandb

  forget(run_id, mode, folder)
  where: Tree = {'id': run_id, 'project': project, 'mode': mode, 'dir': folder}
  run = wandb.init(**where, **about, settings=settings_of(wandb))
  keep(run, run_id, 'leaderboard', place)
  run.finish()


def login() -> dict[str, str]:
  """Whether W&B, as it looks for it itself, finds a login in this process: {} or {stopped: why}."""
  try:
    import wandb
    from wandb.sdk.lib import wbauth
  except ModuleNotFoundError as error:
    return {'stopped': _say(error)} if error.name == 'wandb' else {}
  try:
    host = wandb.setup().settings.base_url
    found = wbauth.authenticate_session(host=host, source='login', prompt=False, update_session=False)
  except wandb.errors.AuthenticationError as error:
    return {'stopped': _say(error)}
  except Exception:  # a W&B that looks for it in another way will say so when it mirrors
    return {}
  return {} if found else {'stopped': f'there is no key for {host}'}


def settings_of(wandb: Any) -> Any:
  """Silent, and nothing of the machine or the process that mirrors: the record has what the trial ran on."""
  wanted = {
    'silent': True,
    'console': 'off',
    'symlink': False,
    'disable_git': True,
    'disable_code': True,
    'disable_job_creation': True,
    'x_disable_meta': True,
    'x_disable_stats': True,
    'x_disable_machine_info': True,
    'x_save_requirements': False,
    'init_timeout': INIT_TIMEOUT,
    'finish_timeout': FINISH_TIMEOUT,
    'finish_timeout_raises': True,
  }
  known = wandb.Settings.model_fields  # those with x_ come and go between versions
  return wandb.Settings(**{name: value for name, value in wanted.items() if name in known})


def _say(error: Exception) -> str:
  if isinstance(error, ModuleNotFoundError):
    return f'the package {error.name} is not installed'
  return f'{type(error).__name__}: {error}'.rstrip(': ')


def main() -> None:
  """Reads a task from stdin, mirrors its records in order, and answers one JSON line a record.

  Task: {mode, project, tags, folder, temporary, records: [[record, variant, marker, seal, checkpoint], …],
  board: [id, about, its folder, marker, seal] or null}.  Answers: {mirrored: id}; {failed: id, why} for a
  record that cannot be shown; {stopped: why}, the last one, where W&B cannot go on.  A task without records
  asks whether there is a login: {}, or {stopped: why}.
  """
  die_with_parent()
  answers = os.fdopen(os.dup(1), 'w', encoding='utf-8')
  os.dup2(2, 1)  # whatever W&B prints is no answer
  if hasattr(os, 'nice'):
    os.nice(NICE)

  def answer(**words: str) -> None:
    print(json.dumps(words), file=answers, flush=True)

  task = json.load(sys.stdin)
  if 'records' not in task:
    answer(**login())
    return
  where = {'mode': task['mode'], 'project': task['project'], 'folder': Path(task['folder'])}
  try:
    for record, variant, marker, seal, checkpoint in task['records']:
      try:
        told = contents(record, variant, task['tags'])
      except Exception as error:
        answer(failed=record['id'], why=_say(error))
        continue
      tell(record['id'], told, checkpoint=checkpoint, temporary=Path(task['temporary']), **where)
      Path(marker).write_text(seal, encoding='utf-8')
      answer(mirrored=record['id'])
    if task['board']:
      name, about, place, marker, seal = task['board']
      tell_board(name, about, Path(place), **where)
      Path(marker).write_text(seal, encoding='utf-8')
  except Exception as error:
    answer(stopped=_say(error))
    os._exit(1)  # an open run would keep the exit waiting for a server that does not answer


if __name__ == '__main__':
  main()
