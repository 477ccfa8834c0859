"""DuckDB: one SQL statement, from file to file."""

import sys

import duckdb
import numpy as np

features_file, weights_file, output, *options = sys.argv[1:]


def quote(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


with open(weights_file) as file:  # noqa: PTH123 - as people write it
    categories = file.readline().rstrip("\n").split(",")[1:]
    rows = [line.rstrip("\n").split(",") for line in file]
names = [row[0] for row in rows]
weights = np.array([row[1:] for row in rows], dtype=np.float64)
scores = [
    " + ".join(f"{quote(f)} * {w!r}::DOUBLE" for f, w in zip(names, column, strict=True))
    for column in weights.T.tolist()
]
described = f"DESCRIBE SELECT * FROM read_csv('{features_file}', header = true)"
label = duckdb.execute(described).fetchall()[0][0]
types = ", ".join(f"'{name}': 'DOUBLE'" for name in names)
types = f"{{'{label}': 'VARCHAR', {types}}}"
table = f"read_csv('{features_file}', header = true, types = {types})"
listed = ", ".join(f"{s} AS {quote(c)}" for s, c in zip(scores, categories, strict=True))
highest = f"greatest({', '.join(map(quote, categories))})"
best = " ".join(f"WHEN {quote(c)} = {highest} THEN '{c}'" for c in categories)
shown = [] if "--no-scores" in options else [quote(c) for c in categories]
shown.append(f"CASE {best} END AS prediction")
if "--probabilities" in options:
    powers = [f"exp({quote(c)} - {highest})" for c in categories]
    total = " + ".join(powers)
    shown += [
        f"{power} / ({total}) AS {quote('probability_' + c)}"
        for power, c in zip(powers, categories, strict=True)
    ]
    ranked = f"list_reverse_sort([{', '.join(map(quote, categories))}])"
    shown.append(f"{ranked}[1] - {ranked}[2] AS margin")
scored = f"SELECT {quote(label)}, {listed} FROM {table}"
query = f"SELECT {quote(label)}, {', '.join(shown)} FROM ({scored})"
duckdb.sql(f"COPY ({query}) TO '{output}' (HEADER, DELIMITER ',')")
