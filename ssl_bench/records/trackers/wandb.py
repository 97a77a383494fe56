"""W&B mirrors the records that are already on disk, under the same ids, and can never end a run."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from ssl_bench.records.naming import variant, varied
from ssl_bench.records.trackers import NotMirrored
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


class WandB(NamedTuple):
  """W&B as a tracker: a mode, and a project, by default `WANDB_PROJECT`, else ssl_bench."""

  mode: Mode
  project: str | None

  def check(self) -> None:
    check_login(self.mode)

  def mirror(
    self, records: Iterable[Mapping[str, Any]], folder: Path, among: Iterable[Mapping[str, Any]]
  ) -> int:
    return mirror(records, folder, mode=self.mode, project=self.project, among=among)


def wandb(*, mode: Mode = 'offline', project: str | None = None) -> WandB:
  """Weights & Biases.

  Args:
    mode: 'offline' needs no key and no network; `wandb sync` uploads its runs later.
    project: W&B's project; by default `WANDB_PROJECT`, else ssl_bench.
  """
  return WandB(mode, project)


def check_login(mode: Mode) -> None:
  """Raises `BadSetting` where nothing could be mirrored: online, without a key that W&B finds."""
  if mode != 'online':
    return
  with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
    place = Path(temporary)
    out, _, _ = _run_child('{}', _environment(place, temporary, mode), place, LOGIN_SECONDS)
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
  done, pending = 0, []
  project = project or os.environ.get('WANDB_PROJECT') or PROJECT
  try:
    records = list(records)
    names = varied(record['config'] for record in (records if among is None else among))
    place = folder.absolute() / 'wandb'
    (place / 'mirrored').mkdir(parents=True, exist_ok=True)
    pending = _pending(records, names, place / 'mirrored', mode, project)
    done, why = _mirror(pending, place, mode, project) if pending else (0, None)
  except Exception as error:
    why = f'{type(error).__name__}: {error}'
  if why:
    why = ' '.join(why.split())[:300].rstrip('.')
    text = f'W&B mirrored {done} of {len(pending)} new records ({why}); the records themselves are safe.'
    warnings.warn(text, NotMirrored, stacklevel=2)
  return done


def _pending(
  records: Iterable[Mapping[str, Any]],
  names: Mapping[str, set[str]],
  marked: Path,
  mode: str,
  project: str,
) -> list[list[Any]]:
  """[record, variant, marker, seal] of the records whose marker does not hold their seal."""
  pending = []
  host = os.environ.get('WANDB_BASE_URL') if mode == 'online' else None
  where = [FORMAT, project, os.environ.get('WANDB_ENTITY'), host]
  for record in records:
    told = variant(record['config'], names)
    seal = hashlib.sha256(json.dumps([where, told, record], sort_keys=True).encode()).hexdigest()
    marker = marked / f'{record["id"]}.{mode}'
    if not marker.is_file() or marker.read_text(encoding='utf-8') != seal:
      pending.append([record, told, str(marker), seal])
  return pending


def _mirror(pending: list[list[Any]], place: Path, mode: str, project: str) -> tuple[int, str | None]:
  """How many records a child process mirrored, and what kept it from the others."""
  with tempfile.TemporaryDirectory(dir=place, prefix='.tmp-', ignore_cleanup_errors=True) as temporary:
    where = {'folder': str(place.parent), 'temporary': temporary}
    task = json.dumps({'mode': mode, 'project': project, **where, 'records': pending})
    seconds = limit(len(pending))
    out, errors, late = _run_child(task, _environment(place, temporary, mode), place, seconds)
  answers = [json.loads(line) for line in out.splitlines()]
  done = sum('mirrored' in answer for answer in answers)
  reasons = [answer.get('stopped') or answer.get('why') for answer in answers if 'mirrored' not in answer]
  if done + len(reasons) < len(pending) and not reasons:
    reasons.append(
      f'no end after {seconds} s' if late else (errors.strip().splitlines() or ['no answer'])[-1]
    )
  return done, reasons[0] if reasons else None


def limit(count: int) -> float:
  """Seconds after which mirroring is given up; a run takes about 0.1 offline and a few online."""
  return 60 + 10 * count


def _run_child(task: str, environment: dict[str, str], place: Path, seconds: float) -> tuple[str, str, bool]:
  """(stdout, stderr, whether it was ended for taking too long)."""
  child = subprocess.Popen(
    [sys.executable, '-P', '-m', 'ssl_bench.records.trackers._wandb_run'],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    encoding='utf-8',
    errors='replace',
    cwd=place,
    env=environment,
    start_new_session=True,
  )
  try:
    return *child.communicate(task, timeout=seconds), False
  except subprocess.TimeoutExpired:
    child.kill()
    return *child.communicate(), True
  except BaseException:
    child.kill()
    child.wait()
    raise


def _environment(place: Path, temporary: str, mode: str) -> dict[str, str]:
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
    'PYTHONPATH': os.pathsep.join(os.path.abspath(path) for path in sys.path),
  }
