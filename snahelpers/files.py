"""Where the data lies, and how a text file or a CSV is read with errors that name the row."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from snahelpers.errors import DataError

PACKAGE = Path(__file__).resolve().parent


def data_path(*parts: str) -> Path:
    """Path of a shipped data file: `snahelpers/data/…` if installed, `data/…` in a checkout."""
    installed = PACKAGE / "data"
    return (installed if installed.is_dir() else PACKAGE.parent / "data").joinpath(*parts)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte order mark, line ends as newlines.

    Raises:
        DataError: there is no such file, or it is not UTF-8 (the message names the byte).
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the spelling and the folder.")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path.name} is not UTF-8: byte 0x{raw[error.start]:02x} at position {error.start} "
            f"(line {line}) has no meaning there. Open it in your editor or spreadsheet and save "
            "as UTF-8."
        ) from None
    return text.replace("\r\n", "\n")


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV with their numbers as a spreadsheet shows them (the header is row 1).

    Args:
        path: A CSV file with a header. Columns beyond `columns` are allowed and kept.
        columns: The columns that must be there.

    Yields:
        The row's number and its values by column name.

    Raises:
        DataError: unreadable file, missing columns, a row of the wrong length, or no rows.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    number, rows = 1, 0
    try:
        header = next(reader, [])
        _check_header(path, header, columns)
        for number, values in enumerate(reader, start=2):
            if not values:  # a blank line
                continue
            if len(values) != len(header):
                raise DataError(
                    f"{path.name}, row {number}: {len(values)} values for {len(header)} columns. "
                    "Put values that contain a comma or a quote into double quotes."
                )
            rows += 1
            yield number, dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise DataError(f"{path.name}, near row {number + 1}: not a CSV row ({error}).") from None
    if not rows:
        raise DataError(f"{path.name} has a header and no rows. Add at least one example.")


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in header]:
        raise DataError(
            f"{path.name} lacks the column(s) {', '.join(missing)}. Its first row is "
            f"{','.join(header)!r}; it should name {', '.join(columns)}, separated by commas."
        )
    if len(set(header)) < len(header):
        raise DataError(f"{path.name} names a column twice: {','.join(header)!r}. Remove one.")
