"""Every bad input that the data contract refuses, with what its message must name."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
from bad_tables import Bad, cut_line, data, joined, months, repeated, table, text_dates, without
from shop_tables import WEEKS, geographic, long, national

FILES = [
    Bad("empty file", lambda: "", ("it is empty", "Export the table again")),
    Bad("header without rows", lambda: national().head(0), ("a header and no rows", "Export the table again")),
    Bad("semicolons", joined(";"), ("row 1", "wrong delimiter", "semicolons", "comma-separated CSV")),
    Bad("tabs", joined("\t"), ("row 1", "wrong delimiter", "tabs", "comma-separated CSV")),
    Bad("one column", lambda: "week\n2021-01-04\n", ("the header has one column, 'week'", "Is this the right file?")),
    Bad("Excel workbook", lambda: b"PK\x03\x04" + bytes(40), ("an Excel workbook", "save the sheet as CSV")),
    Bad("gzip archive", lambda: gzip.compress(b"week,sales"), ("a gzip archive", "Unpack it first")),
    Bad("binary file", lambda: bytes(range(1, 32)) + b"\x00\x01", ("it is binary, not a table", "Export the table as CSV")),
    Bad("HTML page", lambda: "<!doctype html><html><body>Sign in", ("HTML or XML", "log-in page")),
    Bad("JSON", lambda: json.dumps([{"week": "2021-01-04"}]), ("it is JSON", "one row per date")),
    Bad("UTF-16", lambda: national().to_csv(index=False).encode("utf-16"), ("UTF-16", "Save it as CSV UTF-8")),
    Bad(
        "Latin-1 text",
        lambda: table(event={3: "Messe Köln"})().to_csv(index=False).encode("latin-1"),
        ("row 5", "byte 0xf6 is not UTF-8", "Save it as CSV UTF-8"),
    ),
    Bad(
        "open quote",
        lambda: national().to_csv(index=False) + '2024-01-01,"12',
        ("row 122", "not valid CSV", "Correct the quotes"),
    ),
    Bad("cut line", cut_line, ("row 10:", "row 10 has 7 fields", "9 fields as in the header", "commas inside unquoted text")),
    Bad(
        "blank rows at the end",
        lambda: national().to_csv(index=False) + ",,,,,,,,\n,,,,,,,,\n",
        ("rows 122, 123", "without any value", "Delete these rows"),
    ),
    Bad(
        "column name twice",
        lambda: national().to_csv(index=False).replace("mails", "tv_cost", 1),
        ("column 'tv_cost'", "in columns 3, 6", "Rename or delete", "no column 'mails'"),
    ),
    Bad("named Parquet, is CSV", national, ("not a Parquet file", "name it .csv"), file="shop.parquet"),
    Bad("damaged Parquet", lambda: b"PAR1" + bytes(100), ("damaged Parquet", "Write it again"), file="shop.parquet"),
]
COLUMNS = [
    Bad(
        "misspelt channel",
        national,
        ("data.channels.tv.spend", "no column 'tv_csot'", "Did you mean 'tv_cost'?"),
        data(channels={"tv": {"spend": "tv_csot"}}),
    ),
    Bad("wrong case", national, ("data.target", "Did you mean 'sales'?"), data(target="Sales")),
    Bad(
        "missing column hides nothing",
        table(tv_cost={4: -3.0}),
        ("data.target", "no column 'turnover'", "row 6 (2021-02-01)", "1 negative spend value"),
        data(target="turnover"),
    ),
    Bad(
        "one column in two roles",
        national,
        ("data.controls", "column 'price' is used twice, here and as data.treatments", "Name another column"),
        data(controls=["temperature", "price"]),
    ),
    Bad(
        "spend as its own exposure",
        national,
        ("data.channels.tv.exposure", "used twice", "Take exposure out"),
        data(channels={"tv": {"spend": "tv_cost", "exposure": "tv_cost"}}),
    ),
    Bad(
        "date column that is a geo",
        table(True),
        ("'Aa'", "holds no dates", "Did you mean 'week'?"),
        data(date="city", geo=None, population=None),
    ),
]
DATES = [
    Bad("unreadable date", table(week={7: "2021-02-30"}), ("column 'week', row 9 ('2021-02-30')", "YYYY-MM-DD")),
    Bad("empty date", table(week={7: ""}), ("column 'week', row 9", "1 row without a date", "Fill them in")),
    Bad(
        "mixed formats",
        text_dates("%Y-%m-%d", "%d/%m/%Y"),
        ("mixed formats", "YYYY-MM-DD in 60 rows", "row 3 ('11/01/2021')", "Write every date as YYYY-MM-DD"),
    ),
    Bad(
        "day first and month first",
        text_dates("%d/%m/%Y", "%d/%m/%Y", "%m/%d/%Y"),
        ("mixed formats", "puts the day first", "the month", "YYYY-MM-DD"),
    ),
    Bad(
        "day or month first",
        months("2012-01-01", "%m/%d/%Y"),
        ("whether the day or the month comes first", "row 2 ('01/01/2012')", "YYYY-MM-DD"),
    ),
    Bad("spreadsheet day count", table(week=np.arange(44200, 44200 + 7 * WEEKS, 7)), ("rows 2 (", "a spreadsheet's day count")),
    Bad("time of day", text_dates("%Y-%m-%d 06:00:00"), ("rows 2 (2021-01-04 06:00:00)", "time of day", "Sum the rows")),
    Bad("gap", without(40, 41), ("column 'week'", "a gap: 2 dates missing", "2021-10-11, 2021-10-18", "Add the rows")),
    Bad(
        "off the grid",
        table(week={50: "2021-12-21"}),
        ("1 date off the weekly grid: 2021-12-21", "1 date missing from the weekly series: 2021-12-20", "Correct these dates"),
    ),
    Bad(
        "fortnightly",
        table(week=lambda f: pd.date_range("2019-01-07", periods=len(f), freq="14D").strftime("%Y-%m-%d")),
        ("the dates are irregular", "14 days", "daily, weekly or monthly", "Bring the table to one of these"),
    ),
    Bad("one date", lambda: national().head(1), ("there is 1 date", "one row per day, week or month")),
    Bad(
        "duplicate date",
        repeated(3),
        ("duplicate keys, rows 5 (2021-01-25), 122 (2021-01-25)", "data.policies.duplicates: sum"),
    ),
    Bad(
        "geo column not named",
        lambda: geographic().drop(columns="people"),
        ("duplicate keys", "set data.geo: city"),
    ),
    Bad(
        "ragged geos",
        without(3, 4, 130, geo=True),
        ("column 'city'", "'Aa' lacks 2 of 120 dates (2021-01-25", "'Bb' lacks 1", "Add the missing rows"),
        geo=True,
    ),
    Bad("empty geo", table(True, city={130: ""}), ("column 'city', row 132", "1 row without a geo", "Fill it in"), geo=True),
    Bad(
        "two spellings of a geo", table(True, city=dict.fromkeys(range(120, 130), "bb ")), ("'bb ' / 'Bb'", "one way"), geo=True
    ),
]
WINDOW = [
    Bad(
        "window off the dates",
        national,
        ("data.window.start", "2021-02-03 is not a date of the table", "2021-02-01 and 2021-02-08", "Take one of these"),
        data(window={"start": "2021-02-03"}),
    ),
    Bad(
        "window outside the data",
        national,
        ("data.window.end", "2030-01-07 lies outside the data, 2021-01-04 to 2023-04-17"),
        data(window={"end": "2030-01-07"}),
    ),
    Bad(
        "window of too few rows",
        national,
        ("the rows of the window", "10 periods for", "checks.periods_per_parameter", "longer history"),
        data(window={"start": "2023-02-13"}),
    ),
    Bad("too few rows", lambda: national().head(20), ("20 periods for", "checks.periods_per_parameter", "longer history")),
    Bad(
        "few periods of many geos",
        lambda: geographic(tuple(f"city {i}" for i in range(12)), weeks=8),
        ("8 periods of 12 geos for 6 parameters of intercept, trend and season", "9 periods"),
        data(events=None),
        geo=True,
    ),
]
CELLS = [
    Bad(
        "text in numbers",
        table(tv_cost={8: "n.a. yet"}),
        ("column 'tv_cost', row 10 ('n.a. yet')", "1 cell of text", "Put a number there"),
    ),
    Bad(
        "thousands separators",
        table(sales={2: "9,012.50", 3: "10,101.00"}),
        ("'sales', rows 4 ('9,012.50'), 5", "thousands separators", "1234567.8"),
    ),
    Bad(
        "currency sign",
        table(tv_cost={2: "€ 120"}),
        ("'tv_cost', row 4 ('€ 120')", "a currency sign", "Take the currency sign out"),
    ),
    Bad("decimal comma", table(price={2: "9,75"}), ("'price', row 4 ('9,75')", "a decimal comma", "12.5 instead of 12,5")),
    Bad(
        "dash for nothing",
        table(tv_cost={2: "-"}),
        ("'tv_cost', row 4 ('-')", "a dash for an empty cell", "Leave the cell empty"),
    ),
    Bad(
        "KPI missing",
        table(sales={2: None, 60: "NA"}),
        ("column 'sales', rows 4 (2021-01-18), 62", "2 empty cells", "never guessed"),
    ),
    Bad(
        "KPI missing at the end",
        table(sales={118: None, 119: None}),
        ("column 'sales', rows 120 (2023-04-10), 121", "planned media, set data.window.end: 2023-04-03"),
    ),
    Bad("KPI infinite", table(sales={2: "inf"}), ("column 'sales', row 4 (2021-01-18)", "1 infinite value", "division by 0")),
    Bad("KPI constant", table(sales=500.0), ("column 'sales'", "the KPI is constant (500", "right column")),
    Bad(
        "KPI constant in a geo",
        table(True, sales=dict.fromkeys(range(120, 240), 0)),
        ("constant in 1 geo: 'Bb' (0)", "Leave these geos out"),
        geo=True,
    ),
    Bad("KPI below zero", table(sales=lambda f: -f["sales"]), ("column 'sales'", "the KPI sums to -", "right column")),
    Bad(
        "spend missing",
        table(tv_cost={8: None}),
        ("column 'tv_cost', row 10 (2021-03-01)", "data.policies.missing_spend: zero"),
    ),
    Bad("exposure missing", table(radio_spots={8: None}), ("'radio_spots', row 10", "data.policies.missing_exposure: zero")),
    Bad("control missing", table(temperature={8: None}), ("'temperature', row 10", "data.policies.missing_controls: previous")),
    Bad(
        "control missing at the start",
        table(temperature={0: None, 8: None}),
        ("'temperature', row 2", "1 empty cell", "Fill them in."),
        data(policies={"missing_controls": "previous"}),
    ),
    Bad("spend infinite", table(tv_cost={8: "-inf"}), ("column 'tv_cost', row 10", "1 infinite value")),
    Bad(
        "negative spend",
        table(tv_cost={8: -20, 9: -1}),
        ("'tv_cost', rows 10 (2021-03-01), 11", "2 negative", "-20", "negative_spend: zero"),
    ),
    Bad("negative exposure", table(mails={8: -20}), ("'mails', row 10", "1 negative exposure value", "0 or more")),
    Bad("silent channel", table(tv_cost=0), ("column 'tv_cost'", "channel 'tv' never spends", "silent_channel: drop")),
    Bad(
        "silent inside the window",
        table(tv_cost=lambda f: np.where(np.arange(len(f)) < 20, 50.0, 0.0)),
        ("column 'tv_cost'", "never spends inside the window: 0 in all 90 rows", "data.channels"),
        data(window={"start": "2021-08-02"}),
    ),
    Bad("silent organic medium", table(mails=0), ("column 'mails'", "organic medium 'mail' has no exposure", "data.organic")),
    Bad(
        "every channel silent",
        table(tv_cost=0, radio_cost=0, radio_spots=0),
        ("no channel spends", "right file and window"),
        data(policies={"silent_channel": "drop"}),
    ),
    Bad(
        "exposure without spend",
        table(radio_cost=lambda f: np.where(np.arange(len(f)) % 5 == 0, 0, f["radio_cost"])),
        ("channel 'radio', column 'radio_spots', rows", "exposure without spend in", "checks.unmatched_share"),
    ),
    Bad(
        "spend without exposure",
        table(radio_spots=lambda f: np.where(np.arange(len(f)) % 5 == 0, 0, f["radio_spots"])),
        ("channel 'radio', column 'radio_cost', rows", "spend without exposure in", "at most 5 %"),
    ),
]
WORTH = [
    Bad(
        "population missing",
        table(True, people={150: None}),
        ("column 'people', row 152 (Bb, 2021-08-02)", "1 empty cell"),
        geo=True,
    ),
    Bad(
        "population zero",
        table(True, people=dict.fromkeys(range(120), 0)),
        ("column 'people', rows 2 (Aa", "120 values of 0 or less"),
        geo=True,
    ),
    Bad("population varies", table(True, people={150: 7}), ("'Bb' from 7 to 200000", "one population per geo"), geo=True),
    Bad(
        "unit value not positive",
        table(worth=lambda f: np.where(np.arange(len(f)) == 9, 0, 2.5)),
        ("column 'worth', row 11", "0 or less", "money per unit"),
        data(target_kind="count", unit_value="worth"),
    ),
    Bad(
        "unit value is text",
        table(worth="2.50 EUR"),
        ("column 'worth', rows 2 ('2.50 EUR')", "a currency sign"),
        data(target_kind="count", unit_value="worth"),
    ),
    Bad(
        "unit value missing",
        table(worth=lambda f: np.where(np.arange(len(f)) == 9, np.nan, 2.5)),
        ("column 'worth', row 11 (2021-03-08)", "1 empty cell"),
        data(target_kind="count", unit_value="worth"),
    ),
    Bad(
        "priors imply too much",
        table(sales=lambda f: f["sales"] / 1000),
        ("model.priors", "of the KPI", "between 0.1 % and 200 %", "Is the KPI in thousands"),
    ),
    Bad(
        "priors imply too little",
        table(tv_cost=lambda f: f["tv_cost"] / 1e4, radio_cost=lambda f: f["radio_cost"] / 1e4),
        ("model.priors", "between 0.1 % and 200 %", "Is spend in thousands"),
    ),
]
IDENTITY = [
    Bad("constant control", table(temperature=3), ("column 'temperature'", "constant (3 in every row", "data.controls")),
    Bad(
        "identical columns",
        table(tv_cost=lambda f: f["radio_spots"]),
        ("column 'radio_spots' (channels.radio)", "identical to 'tv_cost'", "Keep one"),
    ),
    Bad(
        "multiple of a column",
        table(temperature=lambda f: f["price"].astype(float) * 3 - 1),
        ("'temperature' (control)", "exact multiple", "'price'"),
    ),
    Bad(
        "total beside its parts",
        table(all_media=lambda f: f["tv_cost"] + f["mails"] + 2 * f["price"]),
        ("column 'all_media' (control)", "linear combination of 'tv_cost'", "'mails'", "'price'", "a total beside its parts"),
        data(controls=["temperature", "all_media"]),
    ),
    Bad("the KPI as a control", table(temperature=lambda f: f["sales"]), ("'temperature' (control)", "a copy", "Take it out")),
]
EVENTS = [
    Bad("event column without events", table(event="na"), ("column 'event'", "no cell names an event", "data.events: null")),
    Bad(
        "no usual level",
        national,
        ("column 'sale' (event)", "linear combination of 'na' (event)", "levels that cover every row"),
        data(events={"column": "event", "none": []}),
    ),
    Bad(
        "one event throughout",
        table(event="open"),
        ("column 'event', level 'open'", "every row of the window", "data.events.none"),
    ),
    Bad(
        "event outside the window",
        national,
        ("column 'event', level 'fair'", "only outside the window"),
        data(window={"start": "2021-03-01", "end": "2022-01-31"}),
    ),
    Bad(
        "dated event outside the data",
        national,
        ("event 'expo'", "no period of the file covers it", "2021-01-04 to 2023-04-17"),
        data(events=[{"name": "expo", "start": "2025-01-01", "end": "2025-01-05"}]),
    ),
    Bad("two spellings of an event", table(event={8: "Fair"}), ("'fair' / 'Fair'", "one spelling per level")),
]
LONG = [
    Bad(
        "long: duplicate cell",
        lambda: pd.concat([long(national()), long(national()).iloc[[130]]], ignore_index=True),
        ("duplicate keys", "962 (2021-03-15)", "policies.duplicates: sum"),
        data(long={"variable": "what", "value": "amount"}),
    ),
    Bad(
        "long: missing cell",
        lambda: long(national()).drop(index=[130]),
        ("column 'tv_cost', row without a line (2021-03-15)", "missing_spend: zero"),
        data(long={"variable": "what", "value": "amount"}),
    ),
    Bad(
        "long: missing layout column",
        lambda: long(national()),
        ("data.long.value", "no column 'amounts'", "Did you mean 'amount'?"),
        data(long={"variable": "what", "value": "amounts"}),
    ),
]
BAD = [*FILES, *COLUMNS, *DATES, *WINDOW, *CELLS, *WORTH, *IDENTITY, *EVENTS, *LONG]
