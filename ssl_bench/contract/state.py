"""The state of a run, and what a loss and a step report."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

INIT = 2**31 - 1  # folded into the root key for `init`
REFRESH = INIT - 1  # folded into the root key for `refresh`; no step reaches either number


class State(NamedTuple):
  """Everything that a run changes.  It is a pytree: it can be saved, sharded and mapped over seeds."""

  key: jax.Array  # root key; never split, only folded with `step`
  step: jax.Array  # int32 [], optimizer steps taken
  params: Any  # the parameters that the optimizer moves; their first level names the optimizer's groups
  stats: Any  # the running moments of the network (BatchNorm)
  memory: Any  # what the method keeps between steps, such as a teacher, a queue or marginals
  opt_state: Any  # the state of the optimizer


class PseudoLabels(NamedTuple):
  """The pseudo-labels of an unlabeled batch.  The log compares them with the hidden labels."""

  index: jax.Array  # type: ignore[assignment]  # int32 [batch], positions in the unlabeled set
  label: jax.Array  # int32 [batch]
  confidence: jax.Array  # float32 [batch], in [0, 1]
  mask: jax.Array  # float32 or bool [batch], which of them the loss used
  probs: jax.Array | None = None  # float32 [batch, classes], the network's own prediction


class Aux(NamedTuple):
  """What a loss returns besides its value: parts of the next state, and metrics for the log."""

  stats: Any  # the next `State.stats`
  memory: Any  # the next `State.memory`
  metrics: Mapping[str, jax.Array]  # scalars; the terms of the loss are named `loss/…` and add up to it
  pseudo: PseudoLabels | None = None


class Log(NamedTuple):
  """What one step reports."""

  metrics: Mapping[str, jax.Array]  # those of `Aux`, and `loss` and `grad_norm`
  pseudo: PseudoLabels | None
