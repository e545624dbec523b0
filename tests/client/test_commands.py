"""The commands that look and act: what they ask of the API, for people and for programs."""

import csv
import io
import subprocess

import pytest

from tests.client.conftest import COMMAND, Run
from tests.client.playing import Api, with_jobs
from tests.client.samples import CHANNELS, NOW, break_view, entry_view, host_view, user_view

pytestmark = pytest.mark.usefixtures("signed_in")

JOB = "job_" + "1" * 26


def test_the_unique_beginning_of_an_id_is_enough(api: Api, run: Run):
    with_jobs(api, "job_" + "a" * 26, "job_" + "ab" + "c" * 24, "job_" + "b" * 26)

    plain, prefixed = run("show", "--json", "ab"), run("show", "--json", "job_b")

    assert plain.json["id"] == "job_ab" + "c" * 24
    assert prefixed.json["id"] == "job_" + "b" * 26


def test_the_beginning_of_several_ids_is_refused_and_names_them(api: Api, run: Run):
    with_jobs(api, "job_" + "a" * 26, "job_" + "ab" + "c" * 24)

    result = run("stop", "--json", "a")

    assert result.code == 2
    assert result.error["code"] == "ambiguous_id"
    assert "job_" + "a" * 26 in result.error["why"]
    assert not any(seen.method == "POST" for seen in api.seen)


@pytest.mark.parametrize("given", ["zzz", "../quota", "a b", "a/../../v1/quota/" + "x" * 26, "é"])
def test_what_is_no_id_is_not_found(api: Api, run: Run, given: str):
    with_jobs(api, JOB)

    result = run("show", "--json", given)

    assert result.code == 3
    assert result.error["code"] == "id_not_found"


def test_a_whole_id_is_not_looked_for_in_lists(api: Api, run: Run):
    with_jobs(api, JOB)

    run("show", JOB)

    assert [seen.path for seen in api.seen] == [f"/v1/jobs/{JOB}"]


def test_an_id_beyond_the_first_page_is_found(api: Api, run: Run):
    oldest = "job_z" + "0" * 25
    with_jobs(api, oldest, *(f"job_{number:026d}" for number in range(250)))

    result = run("show", "--json", "z")

    assert result.json["id"] == oldest


def test_ps_shows_what_has_not_ended_and_with_a_all(api: Api, run: Run):
    with_jobs(api, JOB)
    with_jobs(api, "job_" + "2" * 26, status="succeeded", is_terminal=True, exit_code=0)

    live, everything = run("ps", "--json").json, run("ps", "-a", "--json").json

    assert [job["id"] for job in live["items"]] == [JOB]
    assert len(everything["items"]) == 2


def test_ps_where_no_terminal_is_prints_plain_columns(api: Api, run: Run):
    with_jobs(api, JOB, image="a\x1b[2Jb", cost_fen=-5)

    out = run("ps").out.decode()

    head, row = out.splitlines()
    assert head.split() == ["JOB", "IMAGE", "STATUS", "AGE", "EXIT", "COST"]
    assert row.startswith(JOB)
    assert "a\ufffd[2Jb" in row
    assert row.endswith("CNY -0.05")


def test_show_says_why_a_job_waits_and_why_it_ended(api: Api, run: Run):
    numbers = {"hosts_enrolled": 2, "hosts_matching": 0}
    with_jobs(api, JOB, waiting_for={"reason": "no_matching_host", "numbers": numbers})
    other = "job_" + "2" * 26
    end = {"reason_code": "out_of_memory", "reason_class": "user"}
    with_jobs(api, other, status="failed", is_terminal=True, attempt=2, **end)

    waits, ended = run("show", JOB), run("show", other, WHARFAGE_LANG="zh_CN")

    assert "none of 2 hosts could ever run it" in waits.out.decode()
    assert "内存超限 (out_of_memory, user)" in ended.out.decode()


def test_logs_go_to_their_own_streams(api: Api, run: Run):
    with_jobs(api, JOB)

    result = run("logs", JOB)

    assert (result.code, result.out, result.err) == (0, b"out", b"err")


def test_logs_go_on_from_a_cursor_that_json_gave(api: Api, run: Run):
    with_jobs(api, JOB)
    api.scripts[JOB].log = [("stdout", b"a"), ("stdout", b"b"), ("stdout", b"c")]

    first = run("logs", "--json", JOB).lines
    cursor = next(line["next_cursor"] for line in first if line["type"] == "page")
    rest = run("logs", "--since", cursor, JOB)

    assert rest.out == b"c"
    assert first[-1] == {
        "type": "page", "attempt": 1, "next_cursor": "3", "complete": True, "truncated": False,
        "gap": False,
    }  # fmt: skip


def test_followed_logs_say_when_a_part_is_missing(api: Api, run: Run):
    with_jobs(api, JOB)
    api.scripts[JOB].gap = api.scripts[JOB].truncated = True

    result = run("logs", "-f", JOB)

    assert b"a part of the log was lost" in result.err
    assert b"longer than what is kept" in result.err


def test_a_reader_that_goes_away_ends_logs_quietly(api: Api, environ: dict[str, str]):
    with_jobs(api, JOB)
    api.scripts[JOB].log = [("stdout", b"x" * 1_000_000)]

    child = subprocess.Popen(
        [*COMMAND, "logs", JOB], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout
    assert child.stderr
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()

    assert child.wait(20) == 1
    assert err == b""


def test_stop_cancels_each(api: Api, run: Run):
    with_jobs(api, JOB, "job_" + "2" * 26)

    result = run("stop", "1", "2", "--json")

    assert [job["status"] for job in result.json["items"]] == ["stopping", "stopping"]


def test_topup_waits_until_paid_and_shows_the_new_balance(api: Api, run: Run):
    result = run("topup", "12.34")

    assert result.code == 0
    body = {"kind": "topup", "amount_fen": 1234, "method": "qr"}
    assert api.of("POST", "/v1/orders")[0].body == body
    assert b"https://qr.example/ord_" in result.out
    assert "CNY 62.34" in result.out.decode()


def test_topup_on_a_page_prints_its_address(run: Run):
    result = run("topup", "--page", "--no-wait", "50")

    assert result.out.startswith(b"https://pay.example/ord_")


def test_topup_by_a_channel_names_it(api: Api, run: Run):
    run("topup", "--channel", "wechat", "--no-wait", "50")

    assert api.of("POST", "/v1/orders")[0].body["channel"] == "wechat"


def test_channels_shows_what_each_takes_and_whether_now(run: Run):
    shown = run("channels").out.decode()

    assert run("channels", "--json").json == {"items": CHANNELS}
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["wechat", "alipay"]
    assert "in 12 s" in shown


def test_topup_says_when_nobody_paid(api: Api, run: Run):
    api.order_end = "closed"

    result = run("topup", "50", "--json")

    assert result.code == 1
    assert result.error["code"] == "order_closed"
    assert [line["type"] for line in result.lines] == ["order"]


@pytest.mark.parametrize("amount", ["0", "-5", "1.234", "1e3", "１", "1,000", " 5", "5 ", "05", ""])
def test_an_amount_is_read_strictly(api: Api, run: Run, amount: str):
    result = run("topup", "--", amount)

    assert result.code == 2
    assert api.seen == []


def test_quota_prices_and_orders_show_yuan(api: Api, run: Run):
    run("topup", "--no-wait", "50")

    assert "CNY 50.00" in run("quota").out.decode()
    assert "CNY 0.24" in run("prices").out.decode()
    assert "CNY 50.00" in run("orders").out.decode()


def test_quota_shows_the_limits_that_are_in_use_and_no_others(run: Run):
    shown = run("quota").out.decode()

    rows = [" ".join(line.split()) for line in shown.splitlines()]
    assert "live jobs 3 of 2000" in rows
    assert "spend day CNY 0.28 of CNY 5000.00" in rows
    assert "memory" not in shown


def test_prices_need_nobody_to_be_signed_in(run: Run):
    assert run("prices", "--json", WHARFAGE_TOKEN="").json["vcpu_hour_fen"] == 24


def test_the_ledger_as_csv_has_every_entry_and_runs_in_no_spreadsheet(api: Api, run: Run):
    api.entries = [entry_view(f"ref{number}", -number - 1) for number in range(230)]
    api.entries[7] = entry_view("odd", 5, note="=cmd()")

    rows = list(csv.DictReader(io.StringIO(run("ledger", "--csv").out.decode())))

    assert len(rows) == 230
    assert rows[0]["amount_fen"] == "-1"
    assert rows[7]["note"] == "'=cmd()"


def test_the_ledger_for_people_is_short(api: Api, run: Run):
    api.entries = [entry_view(f"ref{number}", -5) for number in range(30)]

    result = run("ledger")

    assert len(result.out.splitlines()) == 21
    assert b"CNY -0.05" in result.out


def test_the_operator_sees_and_moves_hosts(api: Api, run: Run):
    host = "hst_" + "1" * 26
    api.hosts = [host_view(host, reachable=False)]

    assert b"unreachable" in run("hosts").out
    assert run("hosts", "drain", "1", "--deadline", "5m", "--json").json["status"] == "draining"
    assert run("hosts", "undrain", "1", "--json").json["id"] == host
    assert run("hosts", "revoke", "1", "--json").json == {"id": host, "status": "revoked"}
    assert api.of("POST", f"/v1/hosts/{host}/drain")[0].body == {"deadline_s": 300}


def test_revoke_does_nothing_where_nobody_agreed(api: Api, run: Run):
    api.hosts = [host_view("hst_" + "1" * 26)]

    result = run("hosts", "revoke", "1")

    assert result.code == 2
    assert not any(seen.method == "POST" for seen in api.seen)
    assert run("hosts", "revoke", "--yes", "1").code == 0


def test_a_host_code_is_a_line_to_copy(api: Api, run: Run):
    result = run("hosts", "code", "--pool", "gpu", "--label", "zone=a")

    assert result.out.decode() == f"wharfage-agent enrol --server {api.url} --code c0de\n"
    assert api.of("POST", "/v1/hosts/codes")[0].body == {"pool": "gpu", "labels": {"zone": "a"}}


def test_the_operator_bans_and_unbans_by_id_or_address(api: Api, run: Run):
    user = "usr_" + "7" * 26
    api.users = [user_view(user, "bob@example.com")]

    assert run("users", "--json").json["items"][0]["id"] == user
    assert run("users", "ban", "bob@example.com", "--json").json["banned_at"] == NOW
    assert run("users", "unban", "77", "--json").json["banned_at"] is None
    assert run("users", "ban", "--yes", "eve@example.com").code == 3


def test_a_day_is_reconciled_and_its_breaks_are_resolved(api: Api, run: Run):
    api.breaks = [break_view("brk_1"), break_view("brk_2")]

    shown = run("reconcile", "2026-03-01")
    resolved = run(
        "reconcile", "2026-03-01", "--run", "--resolve", "brk_2", "--reason", "known", "--json"
    )

    assert b"CNY 10.00" in shown.out
    assert [each["state"] for each in resolved.json["breaks"]] == ["open", "resolved"]
    base = "/v1/admin/reconciliation/alipay/2026-03-01"
    assert len(api.of("POST", f"{base}/run")) == 1
    [asked] = api.of("POST", f"{base}/breaks/brk_2/resolve")
    assert asked.body == {"reason": "known"}


@pytest.mark.parametrize(
    "wrong", [["2026-3-1"], ["20260301"], ["today"], ["2026-03-01", "--resolve", "brk_1"]]
)
def test_what_is_no_day_or_no_reason_is_refused_before_anything_is_asked(
    api: Api, run: Run, wrong: list[str]
):
    assert run("reconcile", *wrong).code == 2
    assert api.seen == []


def test_a_report_is_shown_and_written_as_csv(api: Api, run: Run):
    shown, written = run("report", "2026-03-01"), run("report", "2026-03-01", "--csv")

    assert b"CNY 0.30" in shown.out
    assert list(csv.DictReader(io.StringIO(written.out.decode()))) == [
        {"code": "use", "debit": "customers", "credit": "revenue", "count": "1",
         "amount_fen": "-30"}
    ]  # fmt: skip
    assert run("report", "2026-03-01", "--json").json["paid_in"]["alipay"]["count"] == 1
    assert run("report", "2026-03-01", "--json", "--csv").code == 2
