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
source = "/dev/stdin" if features_file == "-" else features_file
packed = ", compression = 'gzip'" if features_file == "-" else ""
table = f"read_csv('{source}', header = true{packed})"
label = duckdb.sql(f"SELECT * FROM {table} LIMIT 0").columns[0] if not packed else "id"
types = ", ".join(f"'{name}': 'DOUBLE'" for name in names)
table = table[:-1] + f", types = {{'{label}': 'VARCHAR', {types}}})"
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
query = f"SELECT {quote(label)}, {', '.join(shown)} FROM (SELECT {quote(label)}, {listed} FROM {table})"
duckdb.sql(f"COPY ({query}) TO '{output}' (HEADER, DELIMITER ',')")
