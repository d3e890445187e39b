"""Where the data lies, and how a text file or a table is read with errors that name the row."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from snahelpers.errors import DataError

PACKAGE = Path(__file__).resolve().parent
# How a table is told apart by its name: GLUE's .tsv files do not quote.
DIALECTS = {
    ".csv": {"delimiter": ",", "strict": True},
    ".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE},
}


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
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path.name} is not UTF-8: byte 0x{error.object[error.start]:02x} at position "
            f"{error.start} (line {line}) has no meaning there. Open it in your editor or "
            "spreadsheet and save as UTF-8."
        ) from None


def read_table(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV or TSV file as text, one row a row.

    Args:
        path: A file with a header; commas unless its name ends in .tsv. Columns beyond `columns`
            are allowed and kept.
        columns: The columns that must be there.

    Returns:
        All values as text. The index counts rows as a spreadsheet shows them: the header is 1.

    Raises:
        DataError: unreadable file, missing columns, a row of the wrong length, or no rows.
    """
    dialect = DIALECTS.get(path.suffix, DIALECTS[".csv"])
    reader = csv.reader(io.StringIO(read_text(path), newline=""), **dialect)
    try:
        header = next(reader, [])
        _check_header(path, header, columns)
        rows = {number: row for number, row in enumerate(reader, start=2) if row}  # none is blank
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: not a CSV row ({error}).") from None
    if not rows:
        raise DataError(f"{path.name} has a header and no rows. Add at least one example.")
    for number, row in rows.items():
        if len(row) != len(header):
            raise DataError(
                f"{path.name}, row {number}: {len(row)} values for {len(header)} columns. "
                "Put values that contain a comma or a quote into double quotes."
            )
    return pd.DataFrame.from_dict(rows, orient="index", columns=header)


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in header]:
        raise DataError(
            f"{path.name} lacks the column(s) {', '.join(missing)}. Its first row is "
            f"{','.join(header)!r}; it should name {', '.join(columns)}, separated by commas."
        )
    if len(set(header)) < len(header):
        raise DataError(f"{path.name} names a column twice: {','.join(header)!r}. Remove one.")
