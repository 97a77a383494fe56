"""A count with its noun."""


def count(number: int, noun: str, plural: str = '') -> str:
  """`1 image`, `1,000 images`; the plural has an s, unless it is given."""
  return f'{number:,} {noun if number == 1 else plural or f"{noun}s"}'
