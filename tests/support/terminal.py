"""A command in a real pseudo-terminal, and what a user sees there."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator

# Printed text, or a control sequence: ESC [ parameters letter.
TOKEN = re.compile(
  r'\x1b\[(?P<parameters>[?0-9;]*)(?P<letter>[A-Za-z])|(?P<text>[^\x1b\r\n]+)|(?P<move>[\r\n])'
)
OF_TERMINALS = {'COLUMNS', 'LINES', 'NO_COLOR', 'FORCE_COLOR', 'CI'}  # variables that change what is drawn


def in_terminal(command: list[str], *, columns: int, lines: int = 24, env: dict[str, str]) -> tuple[int, str]:
  """Runs a command whose standard streams are a terminal; its exit code and all that it wrote there."""
  ours, theirs = pty.openpty()
  fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))
  clean = {
    k: v for k, v in os.environ.items() if k not in ('COLUMNS', 'LINES', 'NO_COLOR', 'FORCE_COLOR', 'CI')
  }
  streams = {'stdin': theirs, 'stdout': theirs, 'stderr': theirs}
  process = subprocess.Popen(
    command, env={**clean, 'TERM': 'xterm-256color', **env}, close_fds=True, **streams
  )
  os.close(theirs)
  written = bytearray()
  while True:
    try:
      some = os.read(ours, 65536)
    except OSError:  # Linux says so where the last writer closed the terminal
      break
    if not some:
      break
    written += some
  os.close(ours)
  return process.wait(), written.decode()


def screens(written: str, columns: int) -> Iterator[list[str]]:
  """What a terminal without a bottom shows, each time before something of it is erased, and at the end."""
  rows, row, column, was_erased = [''], 0, 0, True
  for token in TOKEN.finditer(written):
    if text := token['text']:
      for sign in text:
        if column == columns:
          row, column = row + 1, 0
          rows += [''] * (row + 1 - len(rows))
        rows[row] = rows[row].ljust(column)[:column] + sign + rows[row][column + 1 :]
        column += 1
      was_erased = False
    elif token['move'] == '\r':
      column = 0
    elif token['move'] == '\n':
      row += 1
      rows += [''] * (row + 1 - len(rows))
    elif token['letter'] == 'A':
      row = max(0, row - int(token['parameters'] or 1))
    elif token['letter'] == 'K':
      if not was_erased:
        yield [*rows]
      assert token['parameters'] == '2'
      rows[row], was_erased = '', True
    else:
      assert token['letter'] in 'mhl', token[0]  # looks, and whether the cursor is seen
  yield rows
