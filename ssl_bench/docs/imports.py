"""The picture of the architecture: every room of the package, and which rooms it imports."""

import ast
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

Graph = Mapping[str, set[str]]  # room -> rooms that it imports
Node = str | tuple[str, str, int]  # a room, or where the arrow of two rooms passes a layer

BOX, HEIGHT, GAP, RISE, EDGE = 104, 30, 16, 58, 20  # width and height of a box, gaps, px
SWEEPS = 12


def imports_of(package: Path) -> Graph:
  """The rooms (folders and top modules) of a package, and what each imports, inside functions too."""
  found: dict[str, set[str]] = {}
  for path in sorted(package.rglob('*.py')):
    parts = path.relative_to(package).with_suffix('').parts
    if parts != ('__init__',):
      found.setdefault(parts[0], set()).update(_imported(path, package, parts))
  return {room: (others & found.keys()) - {room} for room, others in sorted(found.items())}


def _imported(path: Path, package: Path, parts: tuple[str, ...]) -> set[str]:
  """First parts of the names that a module imports from its package."""
  found: set[str] = set()
  tree = ast.parse(path.read_text(encoding='utf-8'))
  for_types = {node for one in ast.walk(tree) if _is_for_types(one) for node in ast.walk(one)}
  for node in (node for node in ast.walk(tree) if node not in for_types):
    if isinstance(node, ast.Import):
      names = [alias.name.split('.') for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
      above = [package.name, *parts[: len(parts) - node.level]] if node.level else []
      base = above + (node.module.split('.') if node.module else [])
      names = [[*base, alias.name] for alias in node.names]
    else:
      continue
    found |= {name[1] for name in names if name[0] == package.name and len(name) > 1}
  return found


def _is_for_types(node: ast.AST) -> bool:
  """Whether a node is `if TYPE_CHECKING:`, whose imports are never run."""
  return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == 'TYPE_CHECKING'


def layers_of(graph: Graph) -> list[list[str]]:
  """Rooms by height: a room stands one layer above the highest room that it imports.

  Raises ValueError where rooms import each other in a circle.
  """
  height: dict[str, int] = {}

  def place(room: str, above: tuple[str, ...]) -> int:
    if room in above:
      raise ValueError(f'These rooms import each other: {" -> ".join((*above, room))}.')
    if room not in height:
      height[room] = 1 + max((place(other, (*above, room)) for other in sorted(graph[room])), default=-1)
    return height[room]

  for room in sorted(graph):
    place(room, ())
  return [[r for r in sorted(graph) if height[r] == layer] for layer in range(1 + max(height.values()))]


def needed_arrows(graph: Graph) -> list[tuple[str, str]]:
  """The imports that do not follow from others (the transitive reduction)."""

  def reach(rooms: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    todo = list(rooms)
    while todo:
      for other in graph[todo.pop()] - seen:
        seen.add(other)
        todo.append(other)
    return seen

  return [(room, other) for room in graph for other in sorted(graph[room] - reach(graph[room]))]


def draw(graph: Graph) -> str:
  """The picture as SVG: what imports stands above what it imports."""
  layers, paths = _with_turns(graph)
  layers = _untangled(layers, paths)
  widths = [sum(_width(node) for node in layer) + GAP * (len(layer) - 1) for layer in layers]
  width, height = 2 * EDGE + max(widths), 2 * EDGE + HEIGHT + RISE * (len(layers) - 1)
  place: dict[Node, tuple[float, float]] = {}  # the middle of a box, or where an arrow passes
  for level, (layer, taken) in enumerate(zip(layers, widths)):
    x = (width - taken) / 2
    for node in layer:
      place[node] = (x + _width(node) / 2, height - EDGE - HEIGHT / 2 - level * RISE)
      x += _width(node) + GAP
  boxes = [_box(node, *place[node]) for node in sorted(graph)]
  return '\n'.join([
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}"'
    f' height="{height}" font-family="sans-serif" font-size="13">',
    '<title>Rooms of ssl_bench and their imports; a room imports from rooms below it</title>',
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#78909c"/></marker></defs>',
    f'<rect width="{width:g}" height="{height}" fill="#fff"/>',
    *(_arrow([place[node] for node in path]) for path in paths),
    *boxes,
    '</svg>\n',
  ])  # fmt: skip


def _with_turns(graph: Graph) -> tuple[list[list[Node]], list[list[Node]]]:
  """The layers with a place for every arrow that passes one, and each arrow's way from the top down."""
  layers: list[list[Node]] = [list[Node](layer) for layer in layers_of(graph)]
  height = {node: level for level, layer in enumerate(layers) for node in layer}
  paths = []
  for one, other in needed_arrows(graph):
    turns: list[Node] = [(one, other, level) for level in range(height[one] - 1, height[other], -1)]
    for turn, level in zip(turns, range(height[one] - 1, height[other], -1)):
      layers[level].append(turn)
    paths.append([one, *turns, other])
  return layers, paths


def _untangled(layers: list[list[Node]], paths: list[list[Node]]) -> list[list[Node]]:
  """The layers, each ordered by the mean place of its neighbors above and below, a few times over."""
  near: dict[Node, list[Node]] = {}
  for path in paths:
    for one, other in pairwise(path):
      near.setdefault(one, []).append(other)
      near.setdefault(other, []).append(one)
  for _ in range(SWEEPS):
    for level in range(len(layers)):
      at = {node: (i + 0.5) / len(layer) for layer in layers for i, node in enumerate(layer)}
      mean = {node: sum(at[other] for other in near[node]) / len(near[node]) for node in near}
      layers[level] = sorted(layers[level], key=lambda node: (mean.get(node, 0.5), str(node)))
  return layers


def _width(node: Node) -> int:
  return BOX if isinstance(node, str) else 0


def _arrow(points: list[tuple[float, float]]) -> str:
  """A smooth line through the points, from the lower side of a box to the upper side of another."""
  (x, y), *between, (to_x, to_y) = points
  corners = [(x, y + HEIGHT / 2), *between, (to_x, to_y - HEIGHT / 2)]
  way = f'M{x:g} {y + HEIGHT / 2:g}'
  for (from_x, from_y), (next_x, next_y) in pairwise(corners):
    half = (next_y - from_y) / 2
    way += f'C{from_x:g} {from_y + half:g} {next_x:g} {next_y - half:g} {next_x:g} {next_y:g}'
  return f'<path d="{way}" fill="none" stroke="#90a4ae" stroke-width="1.2" marker-end="url(#tip)"/>'


def _box(room: Node, x: float, y: float) -> str:
  return (
    f'<rect x="{x - BOX / 2:g}" y="{y - HEIGHT / 2:g}" width="{BOX}" height="{HEIGHT}" rx="5"'
    f' fill="#e3f2fd" stroke="#1565c0"/><text x="{x:g}" y="{y + 4.5:g}" text-anchor="middle">{room}</text>'
  )


def first_lines(package: Path) -> dict[str, str]:
  """Room -> the first line of its docstring."""
  found = {}
  for room in imports_of(package):
    folder, module = package / room / '__init__.py', package / f'{room}.py'
    path = folder if folder.is_file() else module
    found[room] = (ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or '').partition('\n')[0]
  return found
