"""W&B mirrors the records that are already on disk, under the same ids, and can never end a run."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from ssl_bench.records.naming import varied_in
from ssl_bench.records.trackers import Follower
from ssl_bench.records.trackers._child import digest, digest_of_files, holds, limit, mirrored, run_child
from ssl_bench.records.trackers._pending import pending, warn
from ssl_bench.settings.signature import BadSetting, suggest

Mode = Literal['offline', 'online', 'disabled']
FORMAT = 3  # bumped when runs show a record in another way: what was mirrored is then mirrored anew

# What a user's environment may say about W&B: who and where, not what a run is.
KEPT = (
  'API_KEY',
  'BASE_URL',
  'CREDENTIALS_FILE',
  'ENTITY',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'IDENTITY_TOKEN_FILE',
  'INSECURE_DISABLE_SSL',
  'X_EXTRA_HTTP_HEADERS',
)


PROJECT = 'ssl_bench'
LOGIN_SECONDS = 60.0  # until a W&B that does not say whether there is a login is believed


class Place(NamedTuple):
  """Where runs go, and what of them beside their numbers.

  mode: as W&B knows it; project: W&B's; tags: of all runs; artifacts: what is uploaded as files.
  """

  mode: Mode
  project: str
  tags: Sequence[str] = ()
  artifacts: Sequence[str] = ()

  def seal(self, record: Mapping[str, Any], variant: Mapping[str, str]) -> str:
    """A digest of all that a run of a record shows and of where it is; equal seals, equal runs."""
    host = os.environ.get('WANDB_BASE_URL') if self.mode == 'online' else None
    where = [FORMAT, self.project, os.environ.get('WANDB_ENTITY'), host]
    more = [[*self.tags], [*self.artifacts]] if self.tags or self.artifacts else []
    return digest([[*where, *more], variant, record])

  def marker(self, folder: Path, name: str) -> Path:
    """The file that holds the seal of what was mirrored under an id."""
    return folder.absolute() / 'wandb/mirrored' / f'{name}.{self.mode}'


class WandB(NamedTuple):
  """W&B as a tracker."""

  place: Place

  def check(self) -> None:
    check_login(self.place.mode)

  def mirror(
    self, records: Iterable[Mapping[str, Any]], folder: Path, among: Iterable[Mapping[str, Any]]
  ) -> int:
    return mirror(records, folder, **self.place._asdict(), among=among)

  def follow(self, folder: Path) -> Follower:
    from ssl_bench.records.trackers._wandb_live import Live

    return Live(self.place, folder)


def wandb(
  *,
  mode: Mode = 'offline',
  project: str | None = None,
  tags: tuple[str, ...] = (),
  artifacts: tuple[Literal['checkpoint', 'board'], ...] = (),
) -> WandB:
  """Weights & Biases.

  Args:
    mode: 'offline' needs no key and no network; `wandb sync` uploads its runs later.
    project: W&B's project; by default `WANDB_PROJECT`, else ssl_bench.
    tags: of all runs, beside those that say protocol, dataset and method.
    artifacts: what is uploaded as files: the last `checkpoint` of each trial, the `board` of a grid.
  """
  return WandB(Place(mode, project or os.environ.get('WANDB_PROJECT') or PROJECT, tags, artifacts))


def check_login(mode: Mode) -> None:
  """Raises `BadSetting` where nothing could be mirrored: online, without a key that W&B finds."""
  if mode != 'online':
    return
  with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
    place = Path(temporary)
    out, _, _ = run_child('_wandb_run', '{}', environment(place, temporary, mode), place, LOGIN_SECONDS)
  why = next((json.loads(line).get('stopped') for line in out.splitlines()), None)
  if why:
    why = ' '.join(why.split()).rstrip('.')
    raise BadSetting(
      f'--wandb online: {why}; run `wandb login` or set WANDB_API_KEY, or choose --wandb offline and upload '
      'later with `wandb sync`.'
    )


def mirror(
  records: Iterable[Mapping[str, Any]],
  folder: Path,
  *,
  mode: Mode = 'offline',
  project: str | None = None,
  tags: Sequence[str] = (),
  artifacts: Sequence[str] = (),
  among: Iterable[Mapping[str, Any]] | None = None,
) -> int:
  """Mirrors records that W&B does not have yet, one run a trial; returns how many.

  Nothing is asked, printed or left in this process: W&B runs in a child of low priority, so a thread may
  call this while training goes on.  What was mirrored is marked in `folder`/wandb/mirrored; a record that
  changed since (a failed trial that was run again) takes its old run's place.

  Args:
    records: as `record.read_with_curves` gives them.
    folder: where all files go, under `folder`/wandb; `wandb sync --sync-all` there uploads offline runs.
    mode: 'offline' needs no key and no network; 'online' uses the key and host that W&B is set up with.
    project: W&B's project; by default `WANDB_PROJECT`, else ssl_bench.  The entity is `WANDB_ENTITY`, if any.
    tags: of all runs, beside their own.
    artifacts: of 'checkpoint' and 'board'; what is not in `folder` is left out.
    among: the records of the whole sweep, by default `records`: names and groups tell what differs.

  Raises:
    BadSetting: there is no such mode.

  Warns:
    NotMirrored: something kept W&B from it; the next call takes up what is missing.
  """
  if mode not in get_args(Mode):
    raise BadSetting(f'There is no W&B mode {mode!r}; {suggest(mode, get_args(Mode))}')
  if mode == 'disabled':
    return 0
  done, new = 0, []
  to = Place(mode, project or os.environ.get('WANDB_PROJECT') or PROJECT, tags, artifacts)
  try:
    records = list(records)
    names = varied_in(folder, (record['config'] for record in (records if among is None else among)))
    place = folder.absolute() / 'wandb'
    (place / 'mirrored').mkdir(parents=True, exist_ok=True)
    new = pending(records, names, folder, to)
    board = _board(folder, to) if 'board' in artifacts else None
    done, why = _mirror(new, board, place, to) if new or board else (0, None)
  except Exception as error:
    why = f'{type(error).__name__}: {error}'
  if why:
    warn('W&B', done, len(new), why)
  return done


def _board(folder: Path, to: Place) -> list[Any] | None:
  """[id, about, folder, marker, seal] of the run that holds a board, unless it does already."""
  place = folder.absolute() / 'leaderboard'
  name = folder.absolute().name
  run_id = f'board-{digest(name)[:10]}'
  marker = to.marker(folder, run_id)
  content = digest_of_files(place)
  seal = digest([to, content])
  if not content or holds(marker, seal):
    return None
  about = {'name': f'{name}, board', 'group': name, 'job_type': 'board', 'tags': [*to.tags]}
  return [run_id, about, str(place), str(marker), seal]


def _mirror(new: list[list[Any]], board: list[Any] | None, place: Path, to: Place) -> tuple[int, str | None]:
  """How many records a child process mirrored, and what kept it from the others."""
  with tempfile.TemporaryDirectory(dir=place, prefix='.tmp-', ignore_cleanup_errors=True) as temporary:
    where = {'folder': str(place.parent), 'temporary': temporary, 'board': board}
    how = {'mode': to.mode, 'project': to.project, 'tags': [*to.tags]}
    task = json.dumps({**how, **where, 'records': new})
    seconds = limit(len(new) + bool(board))
    said = run_child('_wandb_run', task, environment(place, temporary, to.mode), place, seconds)
  return mirrored(len(new), *said, seconds)


def environment(place: Path, temporary: str, mode: str) -> dict[str, str]:
  """The child's environment: this one's, and nothing of W&B outside `place`.

  Online, W&B's own settings file is read where it is, since it names the host that the user logged in to.
  """
  keep = {f'WANDB_{name}' for name in KEPT} | ({'WANDB_CONFIG_DIR'} if mode == 'online' else set())
  inherited = {k: v for k, v in os.environ.items() if not k.startswith('WANDB_') or k in keep}
  folders = ('DATA', 'CACHE', 'ARTIFACT', *(['CONFIG'] if mode == 'offline' else []))
  return {
    **inherited,
    'WANDB_DIR': str(place.parent),
    **{f'WANDB_{name}_DIR': str(place / name.lower()) for name in folders},
    'WANDB_ERROR_REPORTING': 'false',
    'TMPDIR': temporary,
  }
