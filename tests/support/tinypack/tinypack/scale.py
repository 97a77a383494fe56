"""What the method shares with nothing yet."""


def scaled(weight, term):
  return weight * term


def unused():
  return None
