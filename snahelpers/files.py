"""Where the data lies; text files and tables, with errors that name the row; results of sweeps.

A sweep's files carry what they belong to and how they were made (pandas' `attrs`, in the metadata
of the parquet file), so that plain pandas reads them too: nothing is lost, nothing mixed up.
"""

import codecs
import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from filelock import FileLock

from snahelpers.errors import DataError, checked, refuse

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
    if not os.path.isfile(path):  # which never raises
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


# Results of sweeps

MADE_WITH, N_ROWS = "made_with", "n_rows"  # what is told of a table beside its identity
LEFT = "It is left as it is: choose another name for out, or remove it yourself."
PACKAGES = ("snahelpers", "transformer-lens", "transformers", "torch", "numpy", "pandas")
# What tables must share to be one.
ALIKE = ("weights", "tokenizer", "dtype", "neutral", "positions", "tasks", "per_example")


class Results:
    """Where one sweep keeps its frame: finished parts survive a crash, nothing foreign is touched.

    Each finished part is a parquet file of its own in a folder beside the final file (`out` with
    `.parts` at the end), moved into place in one step; when all are there they become one file and
    the folder goes. One process at a time measures into it.

    Args:
        out: The final parquet file.
        identity: Everything that determines the frame, as JSON-able values by name.

    Attributes:
        parts: The finished parts by name, once `finish` has read them.

    Raises:
        DataError: the path cannot be a results file.
    """

    def __init__(self, out: str | Path, identity: dict) -> None:
        self.file, self.folder = Path(out), Path(f"{out}.parts")
        # As it will be read back: lists, no tuples, and no numbers of NumPy.
        self.identity = json.loads(json.dumps(identity, default=float))
        self.parts: dict[str, pd.DataFrame] = {}
        if self.file.suffix != ".parquet" or os.path.isdir(out):
            raise DataError(f"out={str(out)!r} is no parquet file. Name one: 'results.parquet'.")
        if not os.path.isdir(self.file.parent):  # never raises
            raise DataError(f"There is no folder {self.file.parent}: make it before the sweep.")

    def finish(self, measure: Callable[[], Iterable[pd.DataFrame]]) -> pd.DataFrame:
        """The whole frame: read if it is there, else put together from the parts that this gives.

        Raises:
            DataError: what is there belongs to another sweep, another process is measuring into
                it, or it cannot be written.
        """
        try:
            frame = self.read(self.file)
            if frame is None:
                self.folder.mkdir(exist_ok=True)
                with FileLock(self.folder / "lock", timeout=0):
                    self.parts = {
                        file.stem: part
                        for file in self.folder.glob("*.parquet")
                        if (part := self.read(file)) is not None
                    }
                    parts = list(measure())
                    frame = pd.concat(parts, ignore_index=True)
                    made = {json.dumps(part.attrs.get(MADE_WITH)) for part in parts}
                    frame.attrs[MADE_WITH] = [json.loads(one) for one in sorted(made)]
                    self.write(frame)
        except OSError as error:  # the lock's too
            raise DataError(
                f"{self.file} cannot be written ({error}). Wait, if another process is measuring "
                "into it; make room on the disk, or choose a folder that can be written to. "
                "Finished parts are kept, and the same call goes on from there."
            ) from error
        shutil.rmtree(self.folder, ignore_errors=True)  # also of a run that was stopped just here
        return frame

    def read(self, file: Path) -> pd.DataFrame | None:
        """What an earlier run has finished; a damaged part counts as missing, with a line.

        Raises:
            DataError: the file is of another sweep (the message names what differs), or it is the
                whole and damaged.
        """
        if not file.exists():
            return None
        try:
            frame = load(file)
        except DataError as error:
            if file == self.file:
                raise DataError(f"{error} {LEFT}") from None
            print(f"{error} It is measured again.")
            return None
        if not frame.attrs:
            raise DataError(f"{file} was not written by a sweep. {LEFT}")
        # Files of older releases do not name their tokenizer.
        found = {"tokenizer": self.identity["tokenizer"], **frame.attrs}
        different = [
            f"{name}: {found.get(name)!r} there, {self.identity.get(name)!r} here"
            for name in {**found, **self.identity}
            if name not in (MADE_WITH, N_ROWS) and found.get(name) != self.identity.get(name)
        ]
        if different:
            raise DataError(f"{file} belongs to another sweep ({'; '.join(different[:3])}). {LEFT}")
        return frame

    def write(self, frame: pd.DataFrame, part: str = "") -> None:
        """Keep the whole frame, or the part of this name: all of it or nothing."""
        frame.attrs = self.identity | {N_ROWS: len(frame), MADE_WITH: frame.attrs.get(MADE_WITH)}
        temporary = self.folder / f"{part}.unfinished"
        frame.to_parquet(temporary, index=False, write_page_checksum=True)
        os.replace(temporary, self.folder / f"{part}.parquet" if part else self.file)


def load(file: Path) -> pd.DataFrame:
    """What is in a parquet file, its checksums proven, with what is known of it in `attrs`.

    Raises:
        DataError: it is not there or damaged, or lacks rows.
    """
    try:
        frame = pd.read_parquet(file, page_checksum_verification=True)
    except Exception as error:  # whatever its readers make of a damaged file
        raise DataError(f"{file} cannot be read as parquet ({str(error)[:80]!r}).") from None
    if len(frame) != (n := frame.attrs.get(N_ROWS, len(frame))):
        raise DataError(f"{file} has {len(frame)} rows instead of {n}.")
    return frame


def made_with(device: object, engine: str) -> dict[str, str]:
    """By what a table is made: packages and their versions, device, engine."""
    return {
        **{package: version(package) for package in PACKAGES},
        "device": str(device),
        "engine": engine,
    }


@checked
def read_results(file: str | Path, *more: str | Path) -> pd.DataFrame:
    """Read tables of sweeps, show what they are, and put them together if they belong together.

    One table may hold several methods, draws, layers and splits of one model: its weights,
    tokenizer, neutral text, dtype and positions must be the same, and so must the tasks' examples.

    Args:
        file: From `sweep` or `contest` with `out`, or one that ships with the course.
        more: Others of that kind.

    Returns:
        The rows, and what is known of them in `attrs`; of several files with a column `draw`, the
        seed.

    Raises:
        DataError: a file is not there or damaged, or they do not belong together; one that does
            not say what it is can only be read alone.
    """
    frames = {str(name): load(Path(name)) for name in (file, *more)}
    for name, frame in frames.items():
        print(f"{name}: {len(frame):,} rows; {frame.attrs or 'it does not say how it was made'}")
    if not more:
        return frame
    for fact in ALIKE:
        told = {name: frame.attrs.get(fact) for name, frame in frames.items()}
        if None in told.values() or len(set(map(repr, told.values()))) > 1:
            raise DataError(
                f"These do not belong together: {fact} is {told}. Read them one by one."
            )
    return pd.concat(
        [frame.assign(draw=frame.attrs["seed"]) for frame in frames.values()], ignore_index=True
    )
