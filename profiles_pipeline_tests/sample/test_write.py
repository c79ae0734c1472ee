"""The rows that are written: names, amounts, sameness, identifiers, times."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from profiles_pipeline.project import ProfilesProject
from profiles_pipeline.sample import Size, write
from profiles_pipeline.sample.evidence import IdUse
from profiles_pipeline.sample.people import Population

PROJECTS = Path(__file__).parent / "projects"
END = datetime(2025, 6, 1, tzinfo=UTC)
DEFAULT = Size(END)


ACCOUNTS = """
entities:
  - {name: user, id_types: [mail, person_no]}
  - {name: account, id_types: [domain]}
id_types: [{name: mail}, {name: person_no, filters: [{type: include, regex: "P[0-9]{6}"}]}, {name: domain}]
inputs:
  - name: people
    app_defaults:
      table: crm.people
      ids:
        - {select: lower(mail), type: mail, entity: user}
        - {select: "'P' || lpad(no, 6, '0')", type: person_no, entity: user}
        - {select: "split_part(mail, '@', 2)", type: domain, entity: account}
  - name: accounts
    app_defaults: {table: crm.accounts, ids: [{select: domain, type: domain, entity: account}]}
var_groups:
  - name: vars
    entity_key: account
    vars:
      - entity_var: {name: paid, select: "max(status = 'paid')", from: inputs/accounts}
      - entity_var: {name: next, select: min(renews), from: inputs/accounts, where: renews > current_timestamp()}
"""


FORMS = """
entities:
  - {name: user, id_types: [card, mail]}
  - {name: account, id_types: [domain]}
  - {name: show, id_types: [slug]}
id_types: [{name: card}, {name: mail}, {name: domain}, {name: slug}]
inputs:
  - name: plays
    app_defaults:
      table: web.plays
      occurred_at_col: at
      ids:
        - {select: "upper('CL' || lpad(card_no::string, 8, '0'))", type: card, entity: user}
        - {select: "regexp_substr(url, '/show/([a-z0-9-]+)/', 1, 1, 'e', 1)", type: slug, entity: show}
  - name: people
    app_defaults:
      table: crm.people
      occurred_at_col: at
      ids:
        - {select: card, type: card, entity: user}
        - {select: lower(mail), type: mail, entity: user}
        - {select: "split_part(lower(mail), '@', 2)", type: domain, entity: account}
  - name: tenants
    app_defaults:
      table: crm.tenants
      occurred_at_col: at
      ids:
        - {select: "split_part(lower(owner_mail), '@', 2)", type: domain, entity: account}
        - select: "lower(regexp_replace(parse_url(website, 1):host::string, '^www[.]', ''))"
          type: domain
          entity: account
  - name: shows
    app_defaults: {table: crm.dim_shows, ids: [{select: show_slug, type: slug, entity: show}]}
"""


def of_models(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the sample rows of the tables of people and accounts."""
    tables = made(folder, ACCOUNTS)
    return tables["crm.people"], tables["crm.accounts"]


def made(folder: Path, models: str, dialect: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return the sample rows of a project by file name."""
    body = yaml.safe_load(models)
    head = {"name": "made", "schema_version": 88, "connection": "none", "model_folders": ["models"]}
    (folder / "models").mkdir()
    (folder / "pb_project.yaml").write_text(
        yaml.safe_dump(head | {key: body.pop(key) for key in ("entities", "id_types")})
    )
    (folder / "models" / "all.yaml").write_text(yaml.safe_dump(body))
    write(ProfilesProject.load(folder, source_dialect=dialect), folder / "data", DEFAULT)
    return {path.stem: pq.read_table(path).to_pylist() for path in (folder / "data").iterdir()}


def rows_of(folder: Path, project: str, size: Size = DEFAULT) -> dict[str, pa.Table]:
    """Return the sample rows of a project by file name."""
    write(ProfilesProject.load(PROJECTS / project), folder, size)
    return {path.name.removesuffix(".parquet"): pq.read_table(path) for path in sorted(folder.iterdir())}


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    one = rows_of(tmp_path / "one", "cohort_chain")
    again = rows_of(tmp_path / "again", "cohort_chain")
    other = rows_of(tmp_path / "other", "cohort_chain", Size(END, seed=8))
    assert one == again
    assert one.keys() == other.keys()
    assert one["rudder.prod.tracks"] != other["rudder.prod.tracks"]


def test_files_are_called_as_the_tables_and_have_the_rows_asked_for(tmp_path: Path) -> None:
    tables = rows_of(tmp_path, "several_entities", Size(END, rows=250, people=20))
    assert set(tables) == {"Prod.Web.identifies", "prod.web.pages", "prod.crm.accounts"}
    rows = {name: table.num_rows for name, table in tables.items()}
    assert rows == {"Prod.Web.identifies": 250, "prod.web.pages": 250, "prod.crm.accounts": 5}


def test_large_tables_are_written_in_pieces_that_do_not_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("profiles_pipeline.sample.writing.CHUNK_ROWS", 400)
    tables = rows_of(tmp_path, "raw_tables", Size(END, rows=1000, people=50))
    orders = tables["ERP.SALES.ORDERS"]
    assert orders.num_rows == 1000
    assert pc.count_distinct(orders["ID"]).as_py() == 1000


def test_files_that_are_there_are_kept_unless_forced(tmp_path: Path) -> None:
    project = ProfilesProject.load(PROJECTS / "typed_text")
    file = tmp_path / "LEGACY_EXPORT.parquet"
    file.write_text("mine")
    (kept,) = write(project, tmp_path, Size(END, rows=10))
    assert kept.rows is None
    assert file.read_text() == "mine"
    (replaced,) = write(project, tmp_path, Size(END, rows=10), force=True)
    assert replaced.rows == pq.read_table(file).num_rows == 10
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_times_end_where_asked_and_crowd_towards_the_end(tmp_path: Path) -> None:
    times = rows_of(tmp_path, "cohort_chain")["rudder.prod.tracks"]["timestamp"].to_pylist()
    end = END.replace(tzinfo=None)
    assert max(times) < end
    assert min(times) > end - timedelta(days=401)
    recent = sum(time > end - timedelta(days=30) for time in times)
    assert 0.35 * len(times) < recent < 0.6 * len(times)


def test_identifiers_pass_their_filters_except_for_some_junk(tmp_path: Path) -> None:
    tables = rows_of(tmp_path, "several_entities")
    accounts = tables["Prod.Web.identifies"]["account_id"].drop_null().to_pylist()
    good = [value for value in accounts if re.fullmatch("ACC-[0-9]{6}", value)]
    assert 0.9 * len(accounts) < len(good) < len(accounts)
    users = tables["Prod.Web.identifies"]["user_id"].drop_null().to_pylist()
    tests = [value for value in users if value.startswith("test_")]
    assert 0 < len(tests) < 0.05 * len(users)


def test_a_list_of_identifiers_to_leave_out_names_few(tmp_path: Path) -> None:
    tables = rows_of(tmp_path, "three_inputs")
    blocked = set(tables["app.blocked_numbers"]["number"].drop_null().to_pylist())
    known = set(tables["app.people"]["mobile"].drop_null().to_pylist())
    assert blocked & known
    assert len(blocked & known) < 0.1 * len(known)


def test_ids_agree_between_tables_and_entities(tmp_path: Path) -> None:
    tables = rows_of(tmp_path, "several_entities")
    rows = tables["Prod.Web.identifies"].to_pylist()
    accounts: dict[str, set[str]] = {}
    for row in rows:
        if row["user_id"] and row["account_id"] and not row["user_id"].startswith(("test_", "u ")):
            accounts.setdefault(row["user_id"], set()).update(
                {row["account_id"]} if row["account_id"].startswith("ACC-") else set()
            )
    assert all(len(found) <= 1 for found in accounts.values())
    assert len(set().union(*accounts.values())) < len(accounts) / 2
    known = {row["anonymous_id"] for row in rows}
    seen = tables["prod.web.pages"]["anonymous_id"].drop_null().to_pylist()
    assert sum(value in known for value in seen) > 0.8 * len(seen)


def test_people_have_several_devices_and_now_and_then_share_a_mailbox() -> None:
    population = Population(ProfilesProject.load(PROJECTS / "cohort_chain"), people=100, seed=1)
    devices = population.pool(IdUse("user", "anonymous_id"))
    assert devices.per == 3
    assert len(set(devices.values)) == 300
    emails = population.pool(IdUse("user", "email"))
    assert 0 < 200 - len(set(emails.values)) < 20


def test_documents_hold_what_sql_looks_for_and_the_ids_of_their_row(tmp_path: Path) -> None:
    tables = rows_of(tmp_path, "json_flatten")
    properties = [json.loads(text) for text in tables["rudder.events.tracks"]["properties"].drop_null().to_pylist()]
    assert any(item["plan"]["name"] == "enterprise" for item in properties)
    assert {type(item["plan"]["active"]) for item in properties} == {bool}
    orders = tables["rudder.events.order_completed"]
    products = [json.loads(text) for text in orders["products"].drop_null().to_pylist()]
    lines = [line for order in products for line in order]
    assert 0 < sum(float(line["price"]) > 0 for line in lines) < len(lines)
    assert all(line["product"]["category"] for line in lines)
    users = {json.loads(text)["user_id"] for text in orders["context_traits"].drop_null().to_pylist()}
    assert len(users & set(tables["rudder.events.tracks"]["user_id"].to_pylist())) > 100


def test_joined_keys_meet(tmp_path: Path) -> None:
    tables = rows_of(tmp_path, "raw_tables")
    orders = set(tables["ERP.SALES.ORDERS"]["ID"].to_pylist())
    lines = tables["ERP.SALES.ORDER_LINES"]
    assert set(lines["ORDER_ID"].to_pylist()) <= orders
    assert set(lines["PRODUCT_ID"].to_pylist()) <= set(tables["ERP.SALES.PRODUCTS"]["ID"].to_pylist())


def test_a_project_is_only_read(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(PROJECTS / "oldest", copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    write(ProfilesProject.load(copy), tmp_path / "data", Size(END, rows=5))
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_mail_addresses_are_at_the_domains_that_are_cut_out_of_them(tmp_path: Path) -> None:
    people, accounts = of_models(tmp_path)
    domains = {account["domain"] for account in accounts} - {None, ""}
    mails = [person["mail"] for person in people if person["mail"]]
    assert {mail.partition("@")[2] for mail in mails} <= domains
    assert len(domains) > 10


def test_what_is_due_lies_ahead_and_some_never_do_a_thing(tmp_path: Path) -> None:
    _, accounts = of_models(tmp_path)
    assert any(account["renews"] and account["renews"] > END.replace(tzinfo=None) for account in accounts)
    paid: dict[str, bool] = {}
    for account in accounts:
        if account["domain"]:
            paid[account["domain"]] = paid.get(account["domain"], False) or account["status"] == "paid"
    assert len(paid) / 4 < sum(paid.values()) < len(paid) * 0.95
    assert {account["status"] for account in accounts} >= {"paid", None}


def test_identifiers_that_are_made_of_numbers_pass_their_filters(tmp_path: Path) -> None:
    people, _ = of_models(tmp_path)
    numbers = [person["no"] for person in people if person["no"]]
    assert numbers
    assert all(re.fullmatch("[0-9]{6}", number) for number in numbers)


def column_of(rows: list[dict[str, Any]], name: str) -> list[Any]:
    """Return the values of a column that are there."""
    return [row[name] for row in rows if row[name]]


def test_an_identifier_that_is_made_in_one_table_is_plain_in_another(tmp_path: Path) -> None:
    tables = made(tmp_path, FORMS)
    cards = {f"CL{number:>08}" for number in column_of(tables["web.plays"], "card_no")}
    assert len(cards) > 200
    assert cards & set(column_of(tables["crm.people"], "card")) == cards
    urls = column_of(tables["web.plays"], "url")
    found = [re.search("^https://example.com/show/([a-z0-9-]+)/", url) for url in urls]
    assert all(found)
    assert {match[1] for match in found if match} <= set(column_of(tables["crm.dim_shows"], "show_slug"))


def test_there_is_a_business_for_every_few_people(tmp_path: Path) -> None:
    tables = made(tmp_path, FORMS)
    colleagues = {mail.partition("@")[2] for mail in column_of(tables["crm.people"], "mail")}
    tenants = {mail.partition("@")[2] for mail in column_of(tables["crm.tenants"], "owner_mail")}
    sites = {site.removeprefix("https://").removesuffix("/") for site in column_of(tables["crm.tenants"], "website")}
    assert len(colleagues) == DEFAULT.people / 4
    assert colleagues == tenants == sites
    for row in tables["crm.tenants"]:
        assert not row["website"] or not row["owner_mail"] or row["owner_mail"].partition("@")[2] in row["website"]


def test_rows_without_a_time_that_are_looked_up_by_an_identifier_have_each_once(tmp_path: Path) -> None:
    slugs = [row["show_slug"] for row in made(tmp_path, FORMS)["crm.dim_shows"]]
    assert len(slugs) == DEFAULT.people / 4
    known = [slug for slug in slugs if slug]
    assert len(known) == len(set(known)) > 60


def test_ids_that_are_put_together_in_two_ways_are_of_the_same_people(tmp_path: Path) -> None:
    ids = "[{select: \"'%s-' || member_no\", type: member, entity: user}, {select: mail, type: mail, entity: user}]"
    inputs = "".join(
        f"\n  - {{name: {name}, app_defaults: {{table: s.{name}, occurred_at_col: at, ids: {ids % name}}}}}"
        for name in ("a", "b")
    )
    head = "entities: [{name: user, id_types: [member, mail]}]\nid_types: [{name: member}, {name: mail}]\ninputs:"
    tables = made(tmp_path, head + inputs)
    one, other = ({row["member_no"] for row in tables[f"s.{name}"]} for name in ("a", "b"))
    assert len(one & other) > 200


def test_a_column_has_the_values_of_a_file_that_it_is_joined_with(tmp_path: Path) -> None:
    (tmp_path / "lifts.csv").write_text("lift,difficulty\n'L01','black'\n'L02','blue'\n")
    models = """
entities: [{name: user, id_types: [user_id]}]
id_types: [{name: user_id}]
inputs:
  - name: scans
    app_defaults: {table: ski.scans, occurred_at_col: at, ids: [{select: user_id, type: user_id, entity: user}]}
  - {name: lifts, app_defaults: {csv: lifts.csv}}
models:
  - name: runs
    model_type: sql_template
    model_spec:
      single_sql: |
        select s.user_id, l.difficulty from {{ this.DeRef("inputs/scans") }} s
        join {{ this.DeRef("inputs/lifts") }} l on l.lift = s.lift_code
"""
    lifts = column_of(made(tmp_path, models)["ski.scans"], "lift_code")
    assert sum(lift in ("L01", "L02") for lift in lifts) > len(lifts) / 3


def test_what_a_parameter_of_an_event_is_called_tells_what_it_is(tmp_path: Path) -> None:
    models = """
entities: [{name: user, id_types: [user_id]}]
id_types: [{name: user_id}]
inputs:
  - name: events
    app_defaults: {table: ga.events, occurred_at_col: at, ids: [{select: user_id, type: user_id, entity: user}]}
var_groups:
  - name: vars
    entity_key: user
    vars:
      - entity_var:
          name: page
          select: max((select value.string_value from unnest(event_params) where key = 'page_location'))
          from: inputs/events
"""
    events = made(tmp_path, models, "bigquery")["ga.events"]
    parameters = [p for row in events for p in row["event_params"] or [] if p["key"] == "page_location"]
    assert parameters
    assert all(p["value"]["string_value"].startswith("https://") for p in parameters)
