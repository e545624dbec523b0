"""A ban shuts every session out at once, stops the work, and leaves the money where it is."""

from tests.fixtures.harbour import HOLD_FEN, Harbour


def test_a_ban_stops_work_and_sessions_and_leaves_the_money_untouched(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    agent = operator.host()
    customer.top_up(1000)
    running, waiting = customer.submit(), customer.submit()
    (grant,) = agent.claim(agent.bells()[0], slots=1)["grants"]
    agent.begin(grant)

    banned = operator("POST", f"/v1/admin/users/{customer.account}/ban")

    assert banned.status == 200
    assert banned.json["banned_at"] is not None
    shut_out = customer("GET", "/v1/quota")
    assert (shut_out.status, shut_out.code) == (403, "banned")
    assert customer.sign_in().code == "banned"
    assert harbour("POST", "/v1/auth/refresh", {"refresh_token": customer.tokens[
        "refresh_token"
    ]}).status == 403  # fmt: skip

    # The host is asked to stop what runs; its end settles the money by the rules.
    assert agent.id in harbour.queue.nudged
    assert agent.wishes()[running["id"]] == "suspend"
    harbour.clock.pass_(seconds=3)
    ended = agent.end(grant, seconds=3, exit_code=143, stop_reason="suspend")
    assert ended == "accepted"

    unbanned = operator("POST", f"/v1/admin/users/{customer.account}/unban")
    assert unbanned.json["banned_at"] is None
    assert customer("GET", "/v1/quota").code == "session_ended"
    assert customer.sign_in().status == 200
    for job in (running, waiting):
        shown = customer.job(job)
        assert (shown["status"], shown["reason_code"]) == ("cancelled", "account_stopped")
    assert customer.ledger() == [("topup", 1000), ("use", -3)]
    assert customer.money() == (997, 0)


def test_while_banned_nothing_new_begins_and_a_payment_is_still_credited(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    customer.top_up(100)
    _, url = customer.open_order(500)
    operator("POST", f"/v1/admin/users/{customer.account}/ban")

    refused = customer("POST", "/v1/jobs", {"image": "localhost:5000/a"})
    answer = harbour.notify(harbour.till.pay(url))
    operator("POST", f"/v1/admin/users/{customer.account}/unban")
    customer.sign_in()

    assert (refused.status, answer.text) == (403, "success")
    assert customer.money() == (600, 0)
    assert customer.submit()["hold_fen"] == HOLD_FEN
