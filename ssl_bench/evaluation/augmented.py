"""What a trained state sees in augmented views of test images."""

from typing import TYPE_CHECKING

import numpy as np

from ssl_bench.evaluation import predict

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

IMAGES = 256  # test images of which views are compared
VIEWS = 10  # of each: alignment compares the first two, LiDAR all


def features_of_view(trained: 'Trained', key: int) -> np.ndarray:
  """Features [m, d] of one strong view of the first test images; of nodes, in one view of their graph."""
  trained.go_on()
  (program, numbers, state, *_), dataset = trained.fitted, trained.dataset
  images, policy = dataset.test_images[:IMAGES], trained.config.augment['strong']
  if 'graph' in numbers:
    numbers = {**numbers, 'graph': predict.changed_graph(policy, key, numbers['graph'])}
  else:
    images = predict.views(policy, key, images, dataset.kind, dataset.columns)
  return predict.observe(program, state, numbers, images).features
