"""Classical wrappers of a supervised classifier, which labels unlabeled images for itself or for another."""
