"""Where the data lies, and how a text file or a table is read with errors that name the row."""

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from snahelpers.errors import DataError, refuse

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
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        utf_16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        line = raw[: error.start].count(b"\n") + 1
        where = f"byte 0x{raw[error.start]:02x} at position {error.start} (line {line})"
        raise DataError(
            f"{path.name} is not UTF-8{', but UTF-16' * utf_16}: {where} has no meaning there. "
            "Save it as UTF-8; in Excel: File, Save As, 'CSV UTF-8 (Comma delimited)'."
        ) from None


def read_table(path: Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV or TSV file as text, one row a row.

    Args:
        path: A file with a header; commas (or semicolons, which is said in a line) unless its name
            ends in .tsv. Columns beyond `columns` are allowed and kept.
        columns: The columns that must be there.

    Returns:
        All values as text. The index counts rows as a spreadsheet shows them: the header is 1.

    Raises:
        DataError: unreadable file, missing columns, rows of the wrong length (all of them are
            named), or no rows.
    """
    text, dialect = read_text(path), DIALECTS.get(path.suffix, DIALECTS[".csv"])
    first = text.partition("\n")[0]
    if ";" in first and dialect["delimiter"] not in first:
        dialect = dialect | {"delimiter": ";"}
        print(f"{path.name}: values are taken as separated by semicolons.")
    reader = csv.reader(io.StringIO(text, newline=""), **dialect)
    try:
        header = next(reader, [])
        _check_header(path, header, columns)
        # None is blank: spreadsheets write empty rows at the end.
        rows = {number: row for number, row in enumerate(reader, start=2) if any(row)}
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: not a CSV row ({error}).") from None
    if not rows:
        raise DataError(f"{path.name} has a header and no rows. Add at least one example.")
    problems = [
        f"{path.name}, row {number}: {len(row)} values for {len(header)} columns. Put values that "
        "contain a comma or a quote into double quotes."
        for number, row in rows.items()
        if len(row) != len(header)
    ]
    refuse(problems, f"{path.name} has {len(problems)} rows of the wrong length:")
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=header)


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in header]:
        raise DataError(
            f"{path.name} lacks the column(s) {', '.join(missing)}. Its first row is "
            f"{','.join(header)!r}; it should name {', '.join(columns)}, separated by commas."
        )
    if len(set(header)) < len(header):
        raise DataError(f"{path.name} names a column twice: {','.join(header)!r}. Remove one.")
