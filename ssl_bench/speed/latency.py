"""The latency of a recorded trial's network, measured when it is asked for."""

from pathlib import Path

from rich.console import Console

from ssl_bench import measures
from ssl_bench.evaluation.cost import QUIET
from ssl_bench.evaluation.latency import BATCHES, Latency, measure
from ssl_bench.evaluation.network import TrainedNetwork
from ssl_bench.records import environment, record
from ssl_bench.settings import plural

PATH = ('cost', 'latency')


def show_latency(path: Path, network: TrainedNetwork) -> None:
  """Prints how long calls of a record's network take, and adds it to the record where it has no latency.

  Nothing is added on another kind of device than the record's, of which all other times are.
  """
  found = measure(network)
  console = Console(highlight=False, soft_wrap=True)
  for size in BATCHES:
    own = found[f'batch_{size}']
    assert isinstance(own, Latency)
    p99 = f'{own.p99:.2f}' if own.p99 is not None else 'unknown'
    said = f'p50 {own.p50:.2f} ms, p95 {own.p95:.2f}, p99 {p99}, {own.calls} calls after warm-up'
    console.print(f'{plural.count(size, "image"):>12}  {said}', markup=False)
  if float(found['other_cores']) > QUIET:  # type: ignore[arg-type]
    console.print(f'Other processes kept {found["other_cores"]:.1f} cores busy meanwhile.', markup=False)
  console.print(_kept(path, found), markup=False)


def _kept(path: Path, found: dict[str, float | Latency]) -> str:
  """Adds the latency to the record, and says whether."""
  tree = record.read_with_curves(path)
  if measures.at(tree, *PATH):
    return f'{path} has a latency already, and stays as it is.'
  here, there = environment.device(), tree['environment']['device']
  if (here['platform'], here['kind']) != (there.get('platform'), there.get('kind')):
    return f'{path} was recorded on {there.get("kind")} and this is {here["kind"]}, so it stays as it is.'
  plain = {name: one._asdict() if isinstance(one, Latency) else one for name, one in found.items()}
  measures.put(tree, PATH, plain)
  record.write(tree, path.parent)
  return f'Added to {path}.'
