"""Daily tables of ads in a configuration: where they are, what their columns mean, and what may be done to them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from mmx.spec import Frozen, Positive, Share

TableSchema = Literal["flat", "meta_export", "google_export", "fivetran_facebook", "fivetran_google"]
Entity = Literal["account", "campaign", "adset", "ad"]
Split = Literal["platform", "channel", "placement", "device", "country"]
Metric = Literal["spend", "impressions", "clicks", "purchases", "revenue", "reach"]
Column = (
    Entity | Split | Metric | Literal["date", "frequency", "ctr", "roas", "budget", "status"]  # what a table may say of an ad
)
Name = Annotated[str, Field(min_length=1)]
FIVETRAN = ("fivetran_facebook", "fivetran_google")
TABLES = {
    "fivetran_facebook": {
        "needed": ("basic_ad", "ad_history"),
        "known": ("basic_ad", "basic_ad_actions", "basic_ad_action_values", "ad_history", "ad_set_history", "campaign_history"),
    },
    "fivetran_google": {
        "needed": (),
        "known": ("ad_stats", "ad_group_stats", "campaign_history", "ad_group_history"),
    },
}


class NameSettings(Frozen):
    """How spellings of one name are brought together.

    Attributes
    ----------
    unify : tuple of str
        Columns whose spellings are compared; none means that names stay as they are.
    mapping : mapping of str to mapping of str to str
        By column: spelling in the file to the name that is meant. It comes first, and names in it are not compared.
    ambiguous : {"refuse", "keep"}
        What to do with a spelling that is one letter from several names.
    rare : float
        A spelling one letter away is a slip only where it has at most this share of the rows of the name.
    shortest : int
        Letters that a name must have for one of them to be a slip.
    """

    unify: tuple[Entity, ...]
    mapping: dict[Entity, dict[str, Name]]
    ambiguous: Literal["refuse", "keep"]
    rare: Share
    shortest: Annotated[int, Field(ge=4)]


class MissingPolicies(Frozen):
    """What to do with a cell that is empty and was not recovered: refuse the table, take it as zero, or drop its row."""

    spend: Literal["refuse", "zero", "drop"]
    impressions: Literal["refuse", "zero", "drop"]
    clicks: Literal["refuse", "zero", "drop"]
    purchases: Literal["refuse", "zero", "drop"]
    revenue: Literal["refuse", "zero", "drop"]
    reach: Literal["refuse", "zero", "drop"]


class OrderSettings(Frozen):
    """Orders of the shop (a Shopify export): their revenue stands beside the platform's.

    Attributes
    ----------
    files : tuple of str
    order : str
        Column that names an order; the lines of one order count once.
    date : str
        Column of its time; the day is the one that is written there.
    revenue : str
        Column of its total.
    refunded : str, optional
        Column of what was paid back, which is taken off.
    campaign : str, optional
        Column with the campaign's name.
    landing : str, optional
        Column with the first address; its ``utm_campaign`` names the campaign where ``campaign`` is not given.
    """

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    order: Name = "Name"
    date: Name = "Created at"
    revenue: Name = "Total"
    refunded: str | None = None
    campaign: str | None = None
    landing: str | None = None


class EngineSettings(Frozen):
    """What the database may take: memory, threads (null: all cores) and a folder for what does not fit (null: the output's)."""

    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?[KMGT]i?B$")]
    threads: Annotated[int, Field(ge=1)] | None
    temp: str | None


class AdsSettings(Frozen):
    """Daily tables of ads, what their columns mean, and the policies for what is wrong with them.

    Attributes
    ----------
    files : tuple of str
        CSV (also gzipped) or Parquet; ``*`` stands for any part of a name.
    table_schema : str
        Key ``schema``. ``flat``: the columns that ``columns`` names. The exports and Fivetran's tables have names of their own,
        over which ``columns`` lies.
    tables : mapping of str to str
        Files of the Fivetran schemas.
    columns : mapping of str to str
        Canonical name to the table's.
    account, platform, currency : str
        Said of tables that have no such column.
    adset_key : tuple of str
        What tells ad sets apart; joined by `` / ``.
    budget : {"column", "from_spend", "campaign"}
        ``column``: the ad set's daily budget. ``campaign``: the column is the campaign's, of which an ad set has its share
        of the last 7 days' spend. ``from_spend``: the mean of the last 7 days with spend.
    paused : tuple of str
        Values of ``status`` with which an ad set has no budget.
    recover : tuple of str
        Metrics that are computed from others where they are empty: clicks (CTR x impressions), spend (revenue / ROAS), revenue
        (spend x ROAS), reach (impressions / frequency).
    recover_error : float
        Largest relative error, in the median of complete rows, with which such a formula is believed.
    immature_days : int
        Last days whose purchases and revenue are still growing; attributed metrics end before them.
    delay_curve : tuple of float
        Share of a day's purchases that is reported after 0, 1, ... days; 1 afterwards.
    month_budget : float, optional
        Money of the account in a calendar month.
    purchase_actions : tuple of str
        Action types of ``fivetran_facebook`` that are purchases; they are added, so none may contain another.
    minor_unit : float
        What the budgets of ``fivetran_facebook`` are counted in, of the currency.
    levels : tuple of str
        For which features are written.
    signal_r2 : float
        Least share of the variance of log revenue that log spend must explain within ad sets for a response curve.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    files: tuple[str, ...]
    table_schema: TableSchema = Field(alias="schema")
    tables: dict[str, str]
    columns: dict[Column, Name]
    account: Name
    platform: str | None
    currency: str | None
    adset_key: Annotated[tuple[Literal["campaign", "adset"] | Split, ...], Field(min_length=1)]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)]
    skip_lines: Annotated[int, Field(ge=0)]
    date_format: str | None
    names: NameSettings
    recover: tuple[Literal["clicks", "spend", "revenue", "reach"], ...]
    recover_error: Positive
    missing: MissingPolicies
    duplicates: Literal["refuse", "sum"]
    budget: Literal["column", "from_spend", "campaign"]
    paused: tuple[str, ...]
    immature_days: Annotated[int, Field(ge=0, le=60)]
    delay_curve: tuple[Share, ...]
    month_budget: Positive | None
    purchase_actions: tuple[str, ...]
    minor_unit: Positive
    orders: OrderSettings | None
    levels: Annotated[tuple[Entity, ...], Field(min_length=1)]
    precision: Literal["double", "single"]
    signal_r2: Share
    engine: EngineSettings

    @property
    def given(self) -> bool:
        """Whether any table of ads is named."""
        return bool(self.files or self.tables)

    @model_validator(mode="after")
    def _sources(self) -> Self:
        known = TABLES.get(self.table_schema)
        if known is None and self.tables:
            raise ValueError(f"tables are for the schemas {' and '.join(FIVETRAN)}; schema: {self.table_schema} takes files")
        if known is None or not self.given:
            return self
        if self.files:
            raise ValueError(f"schema: {self.table_schema} takes tables: {{NAME: FILE}}, one file each, instead of files")
        if unknown := sorted(set(self.tables) - set(known["known"])):
            raise ValueError(f"tables has {', '.join(unknown)}; {self.table_schema} has {', '.join(known['known'])}")
        if lacking := [name for name in known["needed"] if name not in self.tables]:
            raise ValueError(f"tables lacks {', '.join(lacking)}, without which {self.table_schema} says nothing of ads")
        if self.table_schema == "fivetran_google" and ("ad_stats" in self.tables) == ("ad_group_stats" in self.tables):
            raise ValueError("tables needs ad_stats (features of ads too) or ad_group_stats: one of the two")
        return self

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if self.table_schema == "flat" and self.files:
            keys = ("date", "campaign", "spend", "impressions", "clicks", "purchases", "revenue")
            if lacking := [name for name in keys if name not in self.columns]:
                raise ValueError(f"columns lacks {', '.join(lacking)}: name the table's column of each")
            if lacking := [name for name in self.adset_key if name not in self.columns]:
                raise ValueError(f"adset_key has {', '.join(lacking)}, which columns does not name")
            needs = {"clicks": "ctr", "spend": "roas", "revenue": "roas", "reach": "frequency"}
            if lacking := sorted({needs[name] for name in self.recover} - set(self.columns)):
                raise ValueError(f"recover needs the column {', '.join(lacking)}: name it, or take the metric out of recover")
            if self.budget != "from_spend" and "budget" not in self.columns:
                raise ValueError(f"budget: {self.budget} needs columns.budget; without such a column take budget: from_spend")
        return self

    @model_validator(mode="after")
    def _delay(self) -> Self:
        if any(late < early for early, late in zip(self.delay_curve, self.delay_curve[1:], strict=False)):
            raise ValueError("delay_curve falls: it is the share of purchases that is reported by then, which only grows")
        return self
