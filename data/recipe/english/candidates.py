"""Write candidates.csv: everything that the four writers in source/ have written, in one table."""

import csv
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "source"))
COLUMNS = ["task", "form", "group", "source", "prompt", "target"]

if __name__ == "__main__":
    import coding
    import logic
    import maths
    import verse

    rows = [row for part in (maths, verse, coding, logic) for row in part.candidates()]
    seen, kept = set(), []
    for row in rows:
        key = row["task"], row["prompt"], row["target"]
        if key not in seen:
            seen.add(key)
            kept.append(row)
    with open(HERE / "candidates.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    print(len(kept), "candidates")
