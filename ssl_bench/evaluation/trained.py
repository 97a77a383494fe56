"""A trained state as its measures see it: each part is computed once, when it is asked for."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ssl_bench import pattern
from ssl_bench.contract import without_average
from ssl_bench.evaluation import (
  anomaly,
  augmented,
  calibration,
  cost,
  open_set,
  predict,
  predictions,
  probes,
  retrieval,
  scores,
  transductive,
)
from ssl_bench.evaluation.attacks import Attacks
from ssl_bench.evaluation.further_probes import further
from ssl_bench.evaluation.health import Collapse, collapse
from ssl_bench.evaluation.judged import Judged
from ssl_bench.evaluation.latency import measure as measure_latency
from ssl_bench.evaluation.linear import Probe
from ssl_bench.evaluation.network import TrainedNetwork
from ssl_bench.evaluation.probes import Features
from ssl_bench.evaluation.propagation import propagation
from ssl_bench.evaluation.rows import on_rows
from ssl_bench.evaluation.shifts import Shifted
from ssl_bench.evaluation.shifts import measure as measure_shifts
from ssl_bench.evaluation.transfer import Transferred
from ssl_bench.evaluation.transfer import measure as measure_transfer
from ssl_bench.planning import Plan
from ssl_bench.training.loop import Fitted, Interrupted


class Scored(NamedTuple):
  """Probabilities [n, classes] of the test part, and the logits that they are of."""

  probs: np.ndarray
  logits: np.ndarray


class Trained:
  """What is known of a trained state.

  Attributes:
    plan: the trial.
    config: the trial's.
    dataset: images and labels of the training, validation and test part, under the trial's stress.
    labeled: positions in the training part whose labels the trial has, int32 [labels].
    fitted: the program, its numbers, the trained state and the history of its training.
    shared: whether other trials ran on the machine meanwhile.
    utilization: of the devices while it was trained, in [0, 1]; None where it is not known.

  Everything else is a property that is computed when it is first asked for, and then kept, so that measures
  may share what is expensive.  A part that does not apply is None, or an empty mapping.
  """

  def __init__(
    self,
    plan: Plan,
    fitted: Fitted,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    shared: bool = False,
    utilization: float | None = None,
  ) -> None:
    self.plan, self.fitted = plan, fitted
    self.config, self.dataset, self.labeled = plan.config, plan.dataset, plan.labeled
    self.shared, self.utilization = shared, utilization
    self._should_stop = should_stop

  def go_on(self) -> None:
    """Raises `Interrupted` where the trial was asked to stop."""
    if self._should_stop():
      raise Interrupted(self.config.steps)

  def look(self, state: Any, images: np.ndarray) -> predict.Seen:
    """Features, and logits where there is a classifier, of uint8 images [n, H, W, C] under a state."""
    self.go_on()
    return predict.observe(self.fitted.program, state, self.fitted.numbers, images)

  def classify(self, images: np.ndarray) -> np.ndarray:
    """Logits [n, classes] of images: those of the classifier, or of the probe with the trial's labels."""
    seen = self.look(self.fitted.state, images)
    if seen.logits is not None:
      return seen.logits
    assert self.probe_of_few is not None
    return self.probe_of_few.logits(seen.features)

  @cached_property
  def train(self) -> predict.Seen:
    """What the state sees in the training part."""
    return self.look(self.fitted.state, self.dataset.train_images)

  @cached_property
  def validation(self) -> predict.Seen:
    """What the state sees in the validation part."""
    return self.look(self.fitted.state, self.dataset.validation_images)

  @cached_property
  def test(self) -> predict.Seen:
    """What the state sees in the test part."""
    return self.look(self.fitted.state, self.dataset.test_images)

  @cached_property
  def features(self) -> Features:
    """Features [n, d] of the three parts."""
    return Features(self.train.features, self.validation.features, self.test.features)

  @cached_property
  def views(self) -> np.ndarray:
    """Features [10, m, d] of ten strong views of the first 256 test images."""
    return np.stack([augmented.features_of_view(self, key) for key in range(augmented.VIEWS)])

  @cached_property
  def anomaly(self) -> dict[str, float]:
    """How well the test part and the anomalies are told apart, by score; empty where there are none."""
    return anomaly.measure(self)

  @cached_property
  def open_set(self) -> dict[str, float]:
    """How well unknown classes are told from known ones, by score; empty without a class mismatch."""
    return open_set.measure(self)

  @cached_property
  def collapse(self) -> Collapse:
    """Whether the test features have collapsed, and why."""
    return collapse(self.test.features)

  @property
  def has_classifier(self) -> bool:
    """Whether the method has a classifier of its own."""
    return self.fitted.program.has_classifier

  def asks(self, probe: str) -> bool:
    """Whether the config asks for a probe: linear, linear_rows, knn, label_propagation, label_spreading."""
    return probe in self.config.evaluate.probes

  @cached_property
  def probe(self) -> Probe | None:
    """The linear probe with the labels of the whole training part."""
    return probes.with_all_labels(self.features, self.dataset) if self.asks('linear') else None

  @cached_property
  def probe_of_few(self) -> Probe | None:
    """The linear probe with the trial's labels."""
    if not self.asks('linear'):
      return None
    return probes.with_few_labels(self.features, self.dataset, self.labeled)

  @cached_property
  def rows(self) -> dict[str, float]:
    """`accuracy` on test of the linear probe on features of length 1, with the trial's labels."""
    if not self.asks('linear_rows'):
      return {}
    return {'accuracy': on_rows(self.features, self.dataset, self.labeled)}

  @cached_property
  def knn(self) -> dict[int, float]:
    """k -> test accuracy of the cosine k-nearest-neighbor classifier."""
    return probes.neighbors(self.features, self.dataset) if self.asks('knn') else {}

  @cached_property
  def probes(self) -> dict[str, float]:
    """Probe of a plugin -> test accuracy."""
    return further(self.config.evaluate.probes, self.dataset, self.labeled, *self.features)

  @cached_property
  def label_propagation(self) -> dict[str, float | None]:
    """Accuracies of label propagation on the features' graph: `accuracy` and `transductive`."""
    return self._on_a_graph('label_propagation')

  @cached_property
  def label_spreading(self) -> dict[str, float | None]:
    """The same of label spreading."""
    return self._on_a_graph('label_spreading')

  def _on_a_graph(self, name: str) -> dict[str, float | None]:
    if not self.asks(name):
      return {}
    return propagation(name, self.dataset, self.labeled, self.features.train, self.features.test)

  @cached_property
  def logits(self) -> predict.Logits | None:
    """Of the method's classifier, or else of the linear probe with the trial's labels."""
    if self.has_classifier:
      return predict.logits_of(self.validation, self.test)
    if (probe := self.probe_of_few) is None:
      return None
    return predict.Logits(probe.logits(self.features.validation), probe.logits(self.features.test))

  @cached_property
  def judged(self) -> Judged | None:
    """The predictions of `logits` as they are kept, for the measures that read nothing else."""
    if self.logits is None:
      return None
    return Judged(predictions.keep(*self.logits, self.dataset), self.config.evaluate.bootstrap)

  @cached_property
  def raw_logits(self) -> np.ndarray | None:
    """[n, classes] of the test part, without the average of the parameters that is evaluated."""
    program = self.fitted.program
    if not (self.config.ema and program.has_classifier and program.advance):
      return None
    return self.look(without_average(self.fitted.state), self.dataset.test_images).logits

  @cached_property
  def temperature(self) -> float | None:
    """The temperature of least NLL on the validation part."""
    if self.logits is None:
      return None
    return calibration.fit_temperature(self.logits.validation, self.dataset.validation_labels)

  @cached_property
  def scored(self) -> dict[str, Scored]:
    """Predictions on the test part: plain, scaled and isotonic (fitted on validation), of raw weights."""
    if self.logits is None or self.temperature is None:
      return {}
    validation, test = self.logits
    isotonic = calibration.fit_isotonic(scores.softmax(validation), self.dataset.validation_labels)
    probs, cooled = scores.softmax(test), test / self.temperature
    rest, raw = isotonic(probs), self.raw_logits
    return {
      'plain': Scored(probs, test),
      'scaled': Scored(scores.softmax(cooled), cooled),
      'isotonic': Scored(rest, np.log(rest)),
      **({} if raw is None else {'raw': Scored(scores.softmax(raw), raw)}),
    }

  @cached_property
  def shifted(self) -> dict[str, Shifted]:
    """Shift -> accuracy and ECE by severity; empty where the config asks for none."""
    return measure_shifts(self)

  @cached_property
  def attacks(self) -> Attacks:
    """The attacks on privacy; each is None where the config does not ask for it."""
    return Attacks(self)

  @cached_property
  def transferred(self) -> dict[str, Transferred]:
    """Data set -> what the encoder is worth there; empty where the config asks for none."""
    return measure_transfer(self)

  @cached_property
  def retrieval(self) -> dict[str, float]:
    """Recall@k between the test images and their captions, by way and k: `image_to_text@1`."""
    return retrieval.measure(self)

  @cached_property
  def by_pattern(self) -> dict[str, Mapping[str, Any]]:
    """What each pattern of the training measures: its name -> name -> value."""
    return {name: pattern.get(name).measure(self.plan, self.fitted) for name in self.config.patterns}

  @cached_property
  def transduced(self) -> dict[str, Any]:
    """Accuracy on the unlabeled images, and their number, of a method that labels them while it learns."""
    return transductive.measure(self)

  @cached_property
  def last_log(self) -> dict[str, Any]:
    """The means of the last log interval; empty where nothing was logged."""
    curve = self.fitted.history['curve']
    return curve[-1] if curve else {}

  @cached_property
  def evaluations(self) -> list[dict[str, Any]]:
    """What was seen of validation and test on the way; empty where training sees no labels."""
    found = self.fitted.history['evaluations']
    return found if found and 'test_accuracy' in found[0] else []

  @cached_property
  def latency(self) -> Mapping[str, Any]:
    """How long single calls take; empty where the config does not ask, since asking takes a while."""
    if not self.config.evaluate.latency:
      return {}
    return measure_latency(TrainedNetwork(self.plan, self.fitted), self.go_on)

  @cached_property
  def cost(self) -> dict[str, Any]:
    """Times, operations and sizes; see `evaluate.cost`."""
    program, numbers, state, history, _ = self.fitted
    self.go_on()
    return {
      **cost.cost(program, history['segments'], shared=self.shared),
      **({'steps': taken} if program.advance and (taken := int(state.step)) < self.config.steps else {}),
      **cost.inference(program, state, numbers, self.dataset.test_images),
      **cost.teaching_gflops(self.fitted),
      **cost.of_machine(self.utilization),
    }
