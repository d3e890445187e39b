"""The paper's claims, when each of them holds, and what was measured here.

`load_claims` reads the claims, `evidence` measures, `judge` brings both together: a claim's status
follows from its criterion and the measured value alone.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from snahelpers.errors import DataError, check_choice
from snahelpers.files import data_path, read_table

COLUMNS = "id section claim value unit model kind measure criterion".split()
MEASURED = "measure value low high n method".split()
KINDS = ("number", "ordering", "interpretation", "method")
HOLDS, FAILS, UNKNOWN = "holds here", "does not hold here", "not measured here"
STATUSES = (HOLDS, FAILS, UNKNOWN)
NAMES = ("value", "low", "high", "paper")
# No calls, attributes, assignments or powers: nothing but arithmetic and comparisons of the four.
CRITERION = re.compile(
    rf"(?:\b(?:{'|'.join(NAMES)}|and|or|not)\b|\d+(?:\.\d+)?|[<>]=?|[=!]=|[-+/()]|\*(?!\*)| )+"
)
PAGE = (
    "# The paper's claims\n\n"
    "Measured on {}. A status tells whether a claim holds on that model; on another model than the "
    "paper's that is no replication of the paper, and no refutation.\n\n"
    "{}\n\n"
    "Criteria were committed before this page was first filled (data/claims.md); `make ledger` "
    "makes this page, and each run replaces the columns of its own model alone.\n"
)
SHOWN = ("section", "claim", "kind", "paper")


def load_claims(path: str | Path | None = None) -> pd.DataFrame:
    """The paper's claims, checked.

    Args:
        path: A CSV like the shipped `paper_claims.csv`, which is the default.

    Returns:
        One row a claim, the columns as in data/claims.md; value is a float (NaN without one), the
        others are text.

    Raises:
        DataError: the file is not readable, or a row is not a claim (the message names it).
    """
    path = data_path("paper_claims.csv") if path is None else Path(path)
    rows, seen = [], set()
    for number, row in read_table(path, COLUMNS).iterrows():
        place = f"{path.name}, row {number}: "
        if not row["id"] or row["id"] in seen:
            raise DataError(f"{place}id {row['id']!r} is empty or stands twice. Give another one.")
        seen.add(row["id"])
        rows.append(_checked({name: row[name] for name in COLUMNS}, place))
    return pd.DataFrame(rows, columns=COLUMNS)


def judge(model_name: str, *measured: pd.DataFrame) -> pd.DataFrame:
    """The claims beside what was measured: each one's status follows from its criterion alone.

    Args:
        model_name: On which model the tables were measured.
        measured: Tables as from `measure_sweep` and the like; measures that no claim needs are left
            out. A column `on` names another model for its rows.

    Returns:
        One row a claim: id, section, claim, paper (its number), unit, model (the paper's), kind,
        measure, criterion, value, low and high (here), n, on (another model, if it was measured on
        one), method, status ("holds here", "does not hold here", or "not measured here" where the
        criterion needs what is missing). Its `attrs` name the model.

    Raises:
        DataError: a table lacks a column, or a quantity was measured twice.
    """
    claims = load_claims().rename(columns={"value": "paper"})
    for table in measured:
        if missing := [column for column in MEASURED if column not in table]:
            raise DataError(
                f"A measured table has no column {', '.join(missing)}: expected is what the "
                "functions of tools/evidence.py return."
            )
    found = pd.concat(measured) if measured else pd.DataFrame(columns=MEASURED)
    found = found.reindex(columns=[*MEASURED, "on"])
    if (twice := found.measure.duplicated()).any():
        raise DataError(
            f"{found.measure[twice].iloc[0]!r} was measured twice: give each quantity once."
        )
    table = claims.merge(found, how="left", on="measure")
    table[["value", "low", "high", "n"]] = table[["value", "low", "high", "n"]].astype(float)
    known = table.value.notna()
    table["on"] = table.on.astype(object).fillna("").where(known, "")
    table["method"] = table.method.where(known, "")
    table["status"] = [_status(row) for row in table.to_dict("records")]
    table.attrs["model"] = model_name
    return table


def as_markdown(*ledgers: pd.DataFrame) -> str:
    """A page of the claims, with two columns a model: what was measured, and the status.

    Args:
        ledgers: From `judge`, one a model.
    """
    models = [_escaped(ledger.attrs["model"]) for ledger in ledgers]
    counts = [
        f"Of {len(ledger)} claims on {model} "
        + ", ".join(f"{status}: {(ledger.status == status).sum()}" for status in STATUSES)
        for model, ledger in zip(models, ledgers, strict=True)
    ]
    head = PAGE.format(" and ".join(models), ".\n\n".join(counts) + ".")
    columns = [*SHOWN, *(c for model in models for c in (model, f"status on {model}"))]
    columns += ["method", "criterion"]
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for same_claim in zip(*(ledger.to_dict("records") for ledger in ledgers), strict=True):
        rows.append(f"| {' | '.join(_cells(same_claim))} |")
    return "\n".join([head, *rows]) + "\n"


def holds(criterion: str, **numbers: float) -> bool:
    """Whether a criterion is true of these numbers: value, low, high and paper.

    Raises:
        DataError: it is not an expression of these four that is true or false.
    """
    if not CRITERION.fullmatch(criterion):
        raise DataError(
            f"The criterion {criterion!r} is not understood. Compare {', '.join(NAMES)} and "
            "numbers with <, <=, ==, and, or, not."
        )
    try:
        result = pd.DataFrame([numbers], dtype=float).eval(criterion, engine="python")
        if result.dtype == bool:
            return bool(result.iloc[0])
    except Exception as error:  # Python's, and pandas' own: syntax, names, types
        raise DataError(f"The criterion {criterion!r} cannot be evaluated: {error}") from error
    raise DataError(f"The criterion {criterion!r} is a number: it has to be true or false.")


def needed(criterion: str) -> list[str]:
    """Which of value, low, high and paper a criterion uses."""
    return [name for name in NAMES if re.search(rf"\b{name}\b", criterion)]


def _checked(row: dict, place: str) -> dict:
    """The row with its value as a number, if everything in it fits together."""
    check_choice("kind", row["kind"], KINDS, place)
    if blank := [name for name in ("section", "claim", "model") if not row[name].strip()]:
        raise DataError(f"{place}{blank[0]} is empty. Fill it in.")
    if bool(row["measure"]) != bool(row["criterion"]):
        raise DataError(f"{place}a measure and a criterion go together: give both or neither.")
    try:
        row["value"] = float(row["value"] or "nan")
    except ValueError:
        raise DataError(f"{place}value {row['value']!r} is not a number.") from None
    if row["criterion"]:
        names = needed(row["criterion"])
        if not set(names) - {"paper"}:
            raise DataError(f"{place}the criterion {row['criterion']!r} uses nothing measured.")
        if "paper" in names and math.isnan(row["value"]):
            raise DataError(f"{place}the criterion uses paper, but there is no value.")
        holds(row["criterion"], **dict.fromkeys(NAMES, 1.0))
    return row


def _status(row: dict) -> str:
    names = needed(row["criterion"])
    if not names or not all(math.isfinite(row[name]) for name in ("value", *names)):
        return UNKNOWN
    return HOLDS if holds(row["criterion"], **{name: row[name] for name in NAMES}) else FAILS


def _cells(same_claim: Sequence[dict]) -> Iterator[str]:
    """A row of the page: one claim, on every model."""
    claim = same_claim[0]
    paper = f"{claim['paper']:,.10g}" if math.isfinite(claim["paper"]) else ""  # all its digits
    claim = claim | {"paper": paper and f"{paper} {claim['unit']}".strip()}
    yield from (_escaped(str(claim[name])) for name in SHOWN)
    for row in same_claim:
        yield _escaped(_measured(row))
        yield row["status"]
    yield _escaped(" / ".join(dict.fromkeys(row["method"] for row in same_claim if row["method"])))
    yield _escaped(claim["criterion"])


def _measured(row: dict) -> str:
    """The measured value with its interval and how many units it is of."""
    measured = _number(row["value"])
    if not measured:
        return ""
    if math.isfinite(row["low"]) and math.isfinite(row["high"]):
        measured += f" [{_number(row['low'])}, {_number(row['high'])}]"
    remarks = [f"n = {_number(row['n'])}"] if math.isfinite(row["n"]) else []
    remarks += [f"on {row['on']}"] if row["on"] else []
    return f"{measured} {row['unit']}".strip() + (f" ({', '.join(remarks)})" if remarks else "")


def _number(x: float) -> str:
    """Three digits, whole numbers whole, nothing for a missing one."""
    if not math.isfinite(x):
        return ""
    return f"{x:,.0f}" if x == round(x) or abs(x) >= 1000 else f"{x:.3g}"


def _escaped(text: str) -> str:
    """Text as Markdown shows it in a table's cell."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))
