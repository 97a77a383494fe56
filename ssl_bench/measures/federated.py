"""Federated training: rounds, clients, and the bytes that moved."""

from typing import TYPE_CHECKING, Any

from ssl_bench.measures import ABSENT, Measure

if TYPE_CHECKING:
  from ssl_bench.evaluate.trained import Trained


def _of(name: str, title: str, hint: str, **more: Any) -> Measure:
  def read(t: 'Trained') -> Any:
    return t.cost.get('federated', {}).get(name, ABSENT)

  path = ('cost', 'federated', name)
  return Measure(name, path, title, read, hint=hint, values='count', digits=0, **more)


MEASURES = (
  _of('rounds', 'rounds', 'rounds of averaging'),
  _of('local_steps', 'local steps', 'steps of a client in a round'),
  _of('clients', 'clients', 'clients that there are'),
  _of('participants', 'participants', 'clients in a round'),
  _of('bytes_down', 'bytes down', 'what all rounds moved to the clients', unit='MiB', scale=2**-20),
  _of('bytes_up', 'bytes up', 'what all rounds moved back', unit='MiB', scale=2**-20),
)
