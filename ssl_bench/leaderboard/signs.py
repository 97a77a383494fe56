"""What signs are worth: how signs that need no probe go with the linear probe's accuracy, over trainings."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from ssl_bench.evaluation import loss_and_probe
from ssl_bench.leaderboard.aggregate import FLOORS
from ssl_bench.leaderboard.rank_correlation import Correlation, correlation, within
from ssl_bench.leaderboard.read import Trial
from ssl_bench.leaderboard.rows import Board, Section
from ssl_bench.leaderboard.variants import canonical
from ssl_bench.measures import finite

Curves = Callable[[str], Mapping[str, Any] | None]  # id of a record -> its curves, None where there are none

LEAST = 10  # trainings, below which no correlation is shown
LEAST_OF_METHOD = 5  # trainings of one method, below which it has no correlation of its own
WHOLE = 2500  # trials up to which curves are read of all; beyond, only what records hold themselves counts


class Sign(NamedTuple):
  """A measure that needs no probe.

  `better` is what its authors say, `column` where curves hold it, too.  What is not `comparable` between
  methods, such as their losses, has no correlation over all of them.
  """

  measure: str
  better: Literal['lower', 'higher']
  column: str = ''
  comparable: bool = True


SIGNS = (
  Sign('held_out_loss', 'lower', 'pretext_loss', comparable=False),
  Sign('held_out_knn', 'higher', 'knn'),
  Sign('rankme', 'higher'),
  Sign('alpha_req', 'lower'),
  Sign('lidar', 'higher'),
  Sign('embedding_entropy', 'higher'),
  Sign('uniformity', 'lower'),
  Sign('alignment', 'lower'),
  Sign('feature_std', 'higher'),
)


class Worth(NamedTuple):
  """The correlation of a sign with the accuracy of a probe, over trainings of one dataset.

  `labels` are those of the probe, None for all of the training part.  `correlation` is that over all methods,
  None where they cannot be compared; `within` the mean of the methods' own, over `methods_within` of them.
  """

  dataset: str
  protocol: str
  labels: int | None
  sign: str
  better: str
  trainings: int
  methods: int
  correlation: Correlation | None
  within: Correlation | None
  methods_within: int


class Judged(NamedTuple):
  """The verdict on one trial's curves."""

  dataset: str
  protocol: str
  record: str
  method: str
  labels: int
  split_seed: int
  seed: int
  falls: bool
  said: str


class Signs(NamedTuple):
  """What is known of signs: correlations, and a verdict for each trial whose curves allow one."""

  worth: tuple[Worth, ...] = ()
  judged: tuple[Judged, ...] = ()


NONE = Signs()


class _Training(NamedTuple):
  method: str
  settings: str
  seed: int
  signs: tuple[float | None, ...]
  accuracy: float


def signs(board: Board, curves: Curves = lambda name: None) -> Signs:
  """The worth of every sign on every dataset of a board, and the verdicts on its trials.

  Trials are those of self-supervised methods without stress, floors and rows that saw more labels left out,
  since nothing was learned in the former.  Trials with equal numbers are one training, which was probed with
  several numbers of labels: for the probe with all labels it counts once.  `curves` are read where a record
  does not hold the numbers itself, up to 2,500 trials.
  """
  parts = [(section, _trials(section)) for section in board.sections]
  read = curves if sum(len(trials) for _, trials in parts) <= WHOLE else lambda name: None
  worth: list[Worth] = []
  judged: list[Judged] = []
  for section, trials in parts:
    looks = {trial.id: _looks(trial, read) for trial in trials}
    worth += _worth(section, trials, looks)
    judged += [found for trial in trials if (found := _judged(section, trial, looks[trial.id]))]
  return Signs(tuple(worth), tuple(judged))


def _trials(section: Section) -> list[Trial]:
  """The trials that count, each once, by id."""
  rows = [row for budget in section.budgets for row in (*budget.rows, *budget.sweep)]
  kept = [row for row in rows if row.family == 'self-supervised' and row.method not in FLOORS]
  found = {trial.id: trial for row in kept if not row.sees_more_labels for trial in row.trials}
  return [found[name] for name in sorted(found)]


def _looks(trial: Trial, curves: Curves) -> list[Mapping[str, Any]]:
  """A training's looks at held-out images, where its record does not say itself what they come to."""
  if 'loss_and_probe' in trial.texts and 'held_out_knn' in trial.measured:
    return []
  return list((curves(trial.id) or {}).get('evaluations') or ())


def _sign(sign: Sign, trial: Trial, looks: list[Mapping[str, Any]]) -> float | None:
  if sign.measure in trial.measured:
    return trial.measured[sign.measure]
  return finite(looks[-1].get(sign.column)) if looks and sign.column else None


def _worth(
  section: Section, trials: list[Trial], looks: Mapping[str, list[Mapping[str, Any]]]
) -> Iterable[Worth]:
  values = {trial.id: tuple(_sign(sign, trial, looks[trial.id]) for sign in SIGNS) for trial in trials}
  groups: list[tuple[int | None, list[_Training]]] = [(None, _trainings(trials, values, 'linear'))]
  for budget in sorted({trial.labels for trial in trials}):
    own = [trial for trial in trials if trial.labels == budget]
    groups.append((budget, _trainings(own, values, 'linear_budget')))
  for labels, trainings in groups:
    for place, sign in enumerate(SIGNS):
      if found := _of_sign(section, labels, sign, place, trainings):
        yield found


def _trainings(
  trials: list[Trial], values: Mapping[str, tuple[float | None, ...]], probe: str
) -> list[_Training]:
  """Each training with the accuracy of a probe; trials with equal numbers are one."""
  found = {
    _Training(t.method, canonical(t.settings), t.pair.seed, values[t.id], t.measured[probe])
    for t in trials
    if probe in t.measured
  }
  return sorted(found, key=lambda one: (one.method, one.settings, one.seed, one.accuracy, repr(one.signs)))


def _of_sign(
  section: Section, labels: int | None, sign: Sign, place: int, trainings: list[_Training]
) -> Worth | None:
  kept = [(value, one) for one in trainings if (value := one.signs[place]) is not None]
  if len(kept) < LEAST:
    return None
  x, y, methods = [value for value, _ in kept], [one.accuracy for _, one in kept], [t.method for _, t in kept]
  seed = f'{section.dataset}/{section.protocol}/{labels}'
  whole = correlation(x, y, methods, seed) if sign.comparable else None
  own, count = within(x, y, methods, seed, LEAST_OF_METHOD)
  if whole is None and own is None:
    return None
  about = (section.dataset, section.protocol, labels, sign.measure, sign.better)
  return Worth(*about, len(kept), len(set(methods)), whole, own, count)


def _judged(section: Section, trial: Trial, looks: list[Mapping[str, Any]]) -> Judged | None:
  """The verdict that a record holds, or else that of its curves."""
  said = trial.texts.get('loss_and_probe')
  if said is None:
    found = loss_and_probe.judge(looks, trial.sizes[1] or 0)
    said = found.said if found else None
  if said is None:
    return None
  about = (section.dataset, section.protocol, trial.id, trial.method, trial.labels)
  falls = said.startswith(loss_and_probe.FALLS)
  return Judged(*about, trial.pair.split_seed, trial.pair.seed, falls, said)
