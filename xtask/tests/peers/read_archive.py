"""Reads an archive with DuckDB and with pandas, and tells what is in it."""

import datetime
import glob
import json
import math
import sys

import duckdb
import pandas

files = f"{sys.argv[1]}/*.parquet"


def plain(value):
    if value is None or value is pandas.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()
    if hasattr(value, "item"):
        value = value.item()
    if not isinstance(value, float):
        return value
    # A column with gaps has no whole numbers in pandas, and 36.8 has 24 bits.
    return int(value) if value.is_integer() else round(value, 4)


duck = duckdb.connect()
duck.execute("SET TimeZone = 'UTC'")
told = {
    "duckdb": {
        "rows": duck.execute(f"SELECT count(*) FROM '{files}'").fetchone()[0],
        "last": duck.execute(
            f"SELECT max(timestamp), max_by(heart_rate, timestamp) FROM '{files}' WHERE patient_id = 'P001'"
        ).fetchone(),
        "odd": duck.execute(f"SELECT * FROM '{files}' WHERE spo2 = 97").fetchone(),
    }
}

frame = pandas.concat(pandas.read_parquet(file) for file in sorted(glob.glob(files)))
last = frame[frame.patient_id == "P001"].sort_values("timestamp").iloc[-1]
told["pandas"] = {
    "rows": len(frame),
    "last": [last.timestamp.to_pydatetime(), last.heart_rate],
    "odd": [
        value.to_pydatetime() if isinstance(value, pandas.Timestamp) else value
        for value in frame[frame.spo2 == 97].iloc[0].tolist()
    ],
}
for read in told.values():
    for name in ("last", "odd"):
        read[name] = [plain(value) for value in read[name]]
print(json.dumps(told))
