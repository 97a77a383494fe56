"""Writes the generated parts that are committed: `python -m ssl_bench.docs`."""

from ssl_bench.docs import ROOT
from ssl_bench.docs.committed import generate

if __name__ == '__main__':
  for name, text in generate().items():
    (ROOT / name).write_text(text, encoding='utf-8')
    print(name)
