"""The evaluation of a trial: every measure is asked about the trained state, and its predictions are kept."""

from collections.abc import Callable
from typing import Any

from ssl_bench import measures
from ssl_bench.evaluation.trained import Trained
from ssl_bench.planning import Plan
from ssl_bench.training.loop import Fitted


def evaluate(
  plan: Plan,
  fitted: Fitted,
  should_stop: Callable[[], bool] = lambda: False,
  *,
  shared: bool = False,
  utilization: float | None = None,
) -> dict[str, Any]:
  """The `metrics` and the `cost` of a trained state, as a record keeps them.

  Where something is classified, `predictions` are its `Predictions`, which are to be kept beside the record.

  Args:
    plan: the trial.
    fitted: what came out of training.
    should_stop: asked between two measures; where it says so, `Interrupted` is raised.
    shared: whether other trials ran on the machine meanwhile, so that times say little.
    utilization: of the devices while it was trained, in [0, 1], where that is known.
  """
  trained = Trained(plan, fitted, should_stop, shared=shared, utilization=utilization)
  found = measures.measured(trained)
  return found if trained.judged is None else {**found, 'predictions': trained.judged.kept}
