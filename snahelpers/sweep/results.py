"""A sweep's results on disk: finished parts survive a crash, and nothing foreign is overwritten.

Each finished part is a parquet file of its own in a folder beside the final file (`out` with
`.parts` at the end), moved into place in one step; when all are there they become one file and the
folder goes. Every file carries what it belongs to, so that no two sweeps are ever mixed.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformer_lens.model_bridge import TransformerBridge

from snahelpers.errors import DataError

KEY = b"snahelpers.sweep"
WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by bytes a number


class Results:
    """Where one sweep keeps its frame.

    Args:
        out: The final parquet file; None keeps nothing.
        identity: Everything that determines the frame, as JSON-able values by name.

    Raises:
        DataError: the path cannot be a results file, or what is there belongs to another sweep.
    """

    def __init__(self, out: str | Path | None, identity: dict) -> None:
        self.path, self.identity = out if out is None else Path(out), identity
        if self.path is None:
            return
        self.folder = self.path.with_name(self.path.name + ".parts")
        if self.path.suffix != ".parquet" or self.path.is_dir():
            raise DataError(f"out={str(out)!r} is no parquet file. Name one: 'results.parquet'.")
        if not self.path.parent.is_dir():
            raise DataError(f"There is no folder {self.path.parent}: make it before the sweep.")
        finished = [self.path] if self.path.exists() else []
        for file in (*finished, *self.folder.glob("*.parquet")):
            self._check(file)

    def finished(self) -> pd.DataFrame | None:
        """The whole frame, if an earlier run has completed it."""
        if not (self.path and self.path.exists()):
            return None
        shutil.rmtree(self.folder, ignore_errors=True)  # there if that run was stopped at the end
        return pd.read_parquet(self.path)

    def read(self, part: str) -> pd.DataFrame | None:
        """A part that is already there, else None."""
        file = self.path and self._file(part)
        return pd.read_parquet(file) if file and file.exists() else None

    def write(self, part: str, frame: pd.DataFrame) -> None:
        """Keep a part, whole or not at all."""
        if self.path:
            self.folder.mkdir(exist_ok=True)
            self._write(self._file(part), frame)

    def finish(self, frame: pd.DataFrame) -> None:
        """Write the final file, then remove the parts."""
        if self.path:
            self._write(self.path, frame)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, part: str) -> Path:
        return self.folder / f"{part}.parquet"

    def _write(self, file: Path, frame: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        identity = {KEY: json.dumps(self.identity).encode()}
        temporary = file.with_suffix(".unfinished")
        pq.write_table(table.replace_schema_metadata(table.schema.metadata | identity), temporary)
        os.replace(temporary, file)

    def _check(self, file: Path) -> None:
        """Refuse a file of another sweep, naming what differs."""
        try:
            found = json.loads((pq.read_schema(file).metadata or {})[KEY])
        except (pa.ArrowInvalid, KeyError):
            raise DataError(
                f"{file} was not written by a sweep. Choose another name for out; this file is "
                "left as it is."
            ) from None
        now = json.loads(json.dumps(self.identity))  # as it reads after writing: lists, no tuples
        different = [
            f"{name}: {found.get(name)!r} there, {now.get(name)!r} here"
            for name in {**found, **now}
            if found.get(name) != now.get(name)
        ]
        if different:
            raise DataError(
                f"{file} belongs to another sweep ({'; '.join(different[:3])}). It is left as it "
                "is: choose another name for out, or remove it yourself."
            )


def fingerprint(model: TransformerBridge) -> dict[str, str]:
    """What tells one model from another, or from itself trained again: name, dtype, weights.

    Of the weights, the bits of a sample as numbers, and the sum of all, which every change moves.
    """
    sample = hashlib.sha256()
    for name, weights in sorted(model.named_parameters()):
        bits = weights.detach().flatten().view(WHOLE[weights.element_size()])
        few = bits[:: max(1, len(bits) // 64)].tolist()
        sample.update(repr((name, few, int(bits.sum(dtype=torch.int64)))).encode())
    dtype, weights = str(model.cfg.dtype), sample.hexdigest()[:12]
    return {"model": model.cfg.model_name, "dtype": dtype, "weights": weights}


def digest(value: object) -> str:
    """A short name for the content of a list of texts or examples."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]
