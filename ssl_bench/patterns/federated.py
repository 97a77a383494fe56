"""Federated averaging: clients train the shared network on their own images; the server takes the mean.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data" (2017), the
algorithm FederatedAveraging, and Li et al., "Federated Optimization in Heterogeneous Networks" (2020), whose
proximal term keeps a client near the server (FedProx).

A round: some clients are drawn without replacement; each starts from the server's `params` and `stats`,
with its own key and its own `memory`, and takes `local_steps` of the one step on its own images, labeled and
unlabeled; then the server's `params` and `stats` are the mean of theirs, weighted by how many images each
holds: those of the unlabeled stream, or, where a method has none, the labeled ones.

* `memory` (teachers, queues, pseudo-labels by image) stays with its client.  What the evaluated network
  reads of it, such as a teacher, is averaged in the same way for evaluation alone: no client starts from it.
* The average of the parameters (EMA) lives on the server and moves once a round, by as much as its steps.
* The optimizer starts anew in each round, but for its place in the schedule, which is that of the run.
* A client's batches are a function of its key and the run's step: those of a round that it sits out are
  skipped.
"""

from typing import TYPE_CHECKING, Any

from pydantic import Field, StrictFloat, StrictInt

from ssl_bench.config import Config
from ssl_bench.data.clients import Shares, blank, deal, holdings, parse_split
from ssl_bench.measures import Measure, of_pattern
from ssl_bench.pattern import Loop, Pattern
from ssl_bench.settings.sections import MOST, STEPS, Section
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from jax.sharding import Mesh

  from ssl_bench.contract import Method, State
  from ssl_bench.planning import Plan
  from ssl_bench.planning.structure import Structure


class Federated(Section):
  """Training by clients that share parameters and no images: rounds of `local_steps`, then the mean."""

  clients: StrictInt = Field(10, ge=1, le=2**20)
  local_steps: StrictInt = Field(25, ge=1, lt=STEPS)  # that each client of a round takes
  participation: StrictFloat = Field(1.0, gt=0, le=1)  # share of the clients in a round
  split: str = 'iid'  # or dirichlet(0.3): which client holds which image
  proximal: StrictFloat = Field(0.0, ge=0, le=MOST)  # μ of FedProx; 0 is FedAvg


def structure(settings: Federated) -> dict[str, Any]:
  """`drawn` clients take part in a round, all `together` on an accelerator, by turns on the CPU."""
  import jax

  return {
    'clients': settings.clients,
    'drawn': max(1, round(settings.participation * settings.clients)),
    'local_steps': settings.local_steps,
    'proximal': settings.proximal > 0,
    'together': jax.default_backend() != 'cpu',
  }


def numbers(settings: Federated) -> dict[str, float]:
  return {'proximal': settings.proximal}


def stride(settings: Federated) -> int:
  return settings.local_steps


def check_config(config: Config) -> None:
  """A split that can be read, and steps that make whole rounds."""
  if rounds := config.patterns.get('federated'):
    assert isinstance(rounds, Federated)
    parse_split(rounds.split)
    if config.steps % rounds.local_steps:
      raise BadSetting(
        f'steps={config.steps} must be whole rounds of federated.local_steps={rounds.local_steps}.'
      )


def check(plan: 'Plan') -> None:
  """Enough images for every client, and a method that a client can run on its own images."""
  from ssl_bench.planning.build import method_of

  shares_of(plan)
  check_method(method_of(plan.structure))


def check_method(method: 'Method') -> None:
  """Raises `BadSetting` for a method that no client can run on its own images."""
  for way, does in ((method.refresh, 'looks at'), (method.sample, 'chooses its batches from')):
    if way:
      raise BadSetting(
        f'This method {does} the whole unlabeled set, which no client has; leave federated out.'
      )


def arrays(plan: 'Plan') -> dict[str, Any]:
  """The labeled positions in the order of the clients, and which positions are whose."""
  from ssl_bench.planning.arrays import padded

  shares = shares_of(plan)
  return {'pool': padded(shares.labeled, plan.dataset.n_train), 'clients': holdings(shares)}


def shapes(structure: 'Structure') -> dict[str, Any]:
  return {
    'clients': holdings(blank(structure.data.unlabeled, structure.patterns['federated'].settings['clients']))
  }


def loop(structure: 'Structure', mesh: 'Mesh') -> Loop:
  """The compiled rounds; imports JAX."""
  from ssl_bench.patterns._rounds import compile_rounds

  return compile_rounds(structure, mesh)


def describe(plan: 'Plan') -> dict[str, Any]:
  """How many images and, where training sees them, labels each client holds."""
  shares = shares_of(plan)
  labels = {'labels': shares.labels.tolist()} if shares.labels.any() else {}
  return {'clients': {'images': shares.sizes.tolist(), **labels}}


def measure(plan: 'Plan', fitted: Any) -> dict[str, Any]:
  """Rounds, clients, how many of them take part in a round, and the bytes that all rounds moved."""
  facts = fitted.program.facts
  rounds = int(sum(steps for steps, *_ in fitted.history['segments'])) // facts['local_steps']
  moved = {k: rounds * v for k, v in facts.items() if k.startswith('bytes')}
  return {'rounds': rounds, **facts, **moved}


def _of(name: str, title: str, hint: str, **more: Any) -> Measure:
  path = ('cost', 'federated', name)
  read = of_pattern('federated', name)
  return Measure(name, path, title, read, hint=hint, values='count', digits=0, **more)


MEASURES = (
  _of('rounds', 'rounds', 'rounds of averaging'),
  _of('local_steps', 'local steps', 'steps of a client in a round'),
  _of('clients', 'clients', 'clients that there are'),
  _of('participants', 'participants', 'clients in a round'),
  _of('bytes_down', 'bytes down', 'what all rounds moved to the clients', unit='MiB', scale=2**-20),
  _of('bytes_up', 'bytes up', 'what all rounds moved back', unit='MiB', scale=2**-20),
)


def shares_of(plan: 'Plan') -> Shares:
  """Which client holds which images.

  The deal is by `seed`, and where training sees no label it does not depend on which are seen, so that one
  pretraining still serves all label budgets.
  """
  config, dataset = plan.config, plan.dataset
  settings = config.patterns['federated']
  assert isinstance(settings, Federated)
  if dataset.stream is not None:
    raise BadSetting(
      'Clients are dealt the whole unlabeled set; leave federated out, or stress.unlabeled, mismatch, '
      'imbalance and target.'
    )
  return deal(
    dataset.train_labels,
    dataset.classes,
    clients=settings.clients,
    split=settings.split,
    seed=config.seed,
    extra=dataset.n_unlabeled - dataset.n_train,
    labeled=plan.labeled if plan.uses_labels else None,
    least=config.batch.unlabeled,
  )


def evaluated(state: 'State') -> 'State':
  """The server's state as its method reads it; that of `with_ema` has an average beside what is inside."""
  memory = {k: v for k, v in state.memory.items() if k != 'clients'}
  return state._replace(memory=memory if 'ema' in memory else memory['inner'])


PATTERN = Pattern(
  'federated',
  Federated,
  structure=structure,
  numbers=numbers,
  stride=stride,
  check_config=check_config,
  check=check,
  arrays=arrays,
  shapes=shapes,
  loop=loop,
  read=evaluated,
  describe=describe,
  measure=measure,
  measures=MEASURES,
)
