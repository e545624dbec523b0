"""QR codes on a terminal: black on white whatever its colours, in the quiet zone scanners need."""

from collections.abc import Sequence

QUIET_ZONE = 4  #: Modules on every side, as ISO/IEC 18004 asks.
#: Black and white of the fixed colour cube: the sixteen named colours are whatever the theme says.
_BLACK_ON_WHITE = "\x1b[38;5;16;48;5;231m"
_RESET = "\x1b[0m"
_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}

Matrix = Sequence[Sequence[int]]


def matrix(text: str) -> Matrix:
    """Return the modules of a text's QR code, 1 is dark."""
    import segno

    return [list(row) for row in segno.make_qr(text, error="m").matrix]


def paint(modules: Matrix, *, color: bool = True) -> str:
    """Draw modules with half blocks, two rows a line.

    Without *color* what is light is drawn, as most terminals are dark; scanners read either.
    """
    framed = _framed(modules)
    lines = []
    for top, bottom in zip(framed[::2], framed[1::2], strict=True):
        if color:
            cells = "".join(_HALVES[pair] for pair in zip(top, bottom, strict=True))
            lines.append(f"{_BLACK_ON_WHITE}{cells}{_RESET}")
        else:
            pairs = zip(top, bottom, strict=True)
            lines.append("".join(_HALVES[1 - upper, 1 - lower] for upper, lower in pairs))
    return "\n".join(lines)


def columns(modules: Matrix) -> int:
    """Return how wide the drawing is."""
    return len(modules[0]) + 2 * QUIET_ZONE


def _framed(modules: Matrix) -> list[list[int]]:
    """Put the quiet zone around, and one more light row if their number is odd."""
    side = [0] * QUIET_ZONE
    empty = [0] * columns(modules)
    rows = [[*side, *row, *side] for row in modules]
    odd = len(rows) % 2
    return [empty] * QUIET_ZONE + rows + [empty] * (QUIET_ZONE + odd)
