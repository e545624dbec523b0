"""Things as the public API shows them, for the tests of its client."""

from hashlib import sha256
from typing import Any

NOW = "2026-11-21T03:00:00Z"

Json = dict[str, Any]


def job_view(job_id: str, **changes: Any) -> Json:
    """Make a job as the API shows it."""
    view: Json = {
        "id": job_id,
        "status": "queued",
        "is_terminal": False,
        "image": "busybox",
        "image_digest": None,
        "pool": "default",
        "priority": "normal",
        "resources": {"cpu_millis": 1000, "memory_mb": 512, "disk_mb": 1024},
        "max_run_s": 3600,
        "attempt": 1,
        "template": None,
        "template_version": None,
        "hold_fen": 12,
        "hold_units": 0,
        "cost_fen": 0,
        "cost_units": 0,
        "price_version": "1",
        "created_at": NOW,
        "queued_at": NOW,
        "claimed_at": None,
        "started_at": None,
        "ended_at": None,
        "host": None,
        "waiting_for": None,
        "reason_code": None,
        "reason_class": None,
        "exit_code": None,
        "signal": None,
        "oom": False,
        "version": 1,
    }
    return view | changes


def ended(status: str, code: int | None, **more: Any) -> Json:
    """Make the last step of a job."""
    return {"status": status, "is_terminal": True, "exit_code": code, "ended_at": NOW, **more}


WAITING = {"reason": "host", "numbers": {"hosts_enrolled": 1, "hosts_matching": 1}}
SUCCEEDS: list[Json] = [
    {"status": "queued", "waiting_for": WAITING},
    {"status": "starting", "host": "alpha"},
    {"status": "running", "host": "alpha", "started_at": NOW},
    ended("succeeded", 0, cost_fen=3),
]


def user_view(user_id: str, email: str) -> Json:
    pools = {"pools": ["default"], "time_zone": "Asia/Shanghai", "version": 1}
    return {
        "id": user_id, "email": email, "role": "user", "created_at": NOW, "banned_at": None, **pools
    }  # fmt: skip


def order_view(order_id: str, amount_fen: int, plan: str | None = None) -> Json:
    return {
        "id": order_id,
        "kind": "membership" if plan else "topup",
        "amount_fen": amount_fen,
        "plan": plan,
        "state": "open",
        "channel": "alipay",
        "created_at": NOW,
        "expires_at": NOW,
        "paid_at": None,
        "closed_at": None,
        "late": False,
        "review": None,
        "refundable_fen": 0,
        "refunded_fen": 0,
        "version": 1,
    }


def host_view(host_id: str, **changes: Any) -> Json:
    room = {"slots": 8, "cpu_millis": 8000, "memory_mb": 16000, "disk_mb": 100000}
    view: Json = {
        "id": host_id,
        "name": "alpha",
        "pool": "default",
        "status": "ready",
        "reachable": True,
        "labels": {},
        "capacity": room,
        "free": room,
        "problem": None,
        "architecture": "x86_64",
        "engine_version": "20.10.24",
        "agent_version": "0.1.0",
        "seen_at": NOW,
        "drain_by": None,
        "claims": 0,
    }
    return view | changes


def entry_view(reference: str, amount_fen: int, note: str | None = None) -> Json:
    return {
        "code": "use" if amount_fen < 0 else "topup",
        "reference": reference,
        "amount_fen": amount_fen,
        "units": 0,
        "period": None,
        "debit": "a",
        "credit": "b",
        "posted_at": NOW,
        "note": note,
    }


PLAN: Json = {
    "name": "basic", "title": {"en": "Basic", "zh": "基础会员"}, "price_fen": 9900, "units": 100,
}  # fmt: skip
CHANNELS: list[Json] = [
    {
        "name": "wechat", "methods": ["app", "qr"], "currency": "CNY", "amount_fen_min": 100,
        "amount_fen_max": 5_000_000, "available": False, "retry_after_seconds": 12,
    },
    {
        "name": "alipay", "methods": ["page", "qr"], "currency": "CNY", "amount_fen_min": 100,
        "amount_fen_max": 5_000_000, "available": True, "retry_after_seconds": None,
    },
]  # fmt: skip
MEMBERSHIP: Json = {
    "plan": "basic", "active": True, "anchor": NOW, "time_zone": "Asia/Shanghai", "months": 1,
    "ends_at": "2026-12-21T03:00:00Z",
}  # fmt: skip
PERIOD: Json = {
    "plan": "basic", "state": "open", "starts_at": NOW, "ends_at": "2026-12-21T03:00:00Z",
    "granted": 100, "remaining": 93, "held": 5, "used": 2, "lapsed": 0,
}  # fmt: skip
TEMPLATE: Json = {
    "name": "upscale", "template_version": 2, "title": {"en": "Upscale an image", "zh": "放大图片"},
    "units": 5, "price_fen": 40, "image": "upscale:1", "max_run_s": 60, "result": None,
    "resources": {"cpu_millis": 1000, "memory_mb": 512, "disk_mb": 1024},
    "input": {
        "type": "object", "required": ["factor"],
        "properties": {"factor": {"type": "integer"}, "text": {"type": "string"}},
    },
    "created_at": NOW, "retired_at": None,
}  # fmt: skip
METER: Json = {
    "job": "job_" + "1" * 26, "template": None, "template_version": None,
    "resources": {"cpu_millis": 1500, "memory_mb": 512, "disk_mb": 1024},
    "price": {"version": "1", "vcpu_hour_fen": 24, "gb_hour_fen": 6}, "hourly_fen": 39,
    "settled": True, "amount_fen": 2, "units": 0,
    "lines": [
        {
            "attempt": 1, "status": "succeeded", "reason_code": None, "reason_class": None,
            "ended_at": NOW, "run_seconds": 100, "charged_seconds": 100, "vcpu_ms": 150_000,
            "memory_mb_seconds": 51_200, "amount_fen": 2, "units": 0,
            "entry": "job_" + "1" * 26 + ".1",
        }
    ],
}  # fmt: skip
STATEMENT: Json = {
    "month": "2026-03", "time_zone": "Asia/Shanghai", "begins_at": NOW, "ends_at": NOW,
    "complete": False, "opening_fen": 100, "opening_units": 0,
    "lines": [{"code": "topup", "count": 2, "amount_fen": 2000, "units": 0}],
    "closing_fen": 2100, "closing_units": 0,
}  # fmt: skip
INVOICE: Json = {
    "id": "inv_" + "1" * 26, "account": "usr_" + "1" * 26, "month": "2026-03",
    "title": "演示公司", "tax_number": "91350100M000100Y43",
    "lines": [{"order": "ord_1", "amount_fen": 1000}], "amount_fen": 1000, "state": "requested",
    "created_at": NOW, "number": None, "reason": None, "decided_at": None, "reduced_fen": 0,
    "version": 1,
}  # fmt: skip
RED_NOTE: Json = {
    "id": "red_" + "1" * 26, "account": INVOICE["account"], "invoice": INVOICE["id"],
    "invoice_number": "12345678", "amount_fen": 300, "state": "due", "created_at": NOW,
    "number": None, "written_at": None, "version": 1,
}  # fmt: skip
RUN: Json = {
    "channel": "alipay", "day": "2026-03-01", "stage": "done", "round": 1, "started_at": NOW,
    "done_at": NOW, "trouble": None, "payments": 2, "payments_fen": 3000, "refunds": 0,
    "refunds_fen": 0, "fees_fen": 18, "ours": 2, "accounts": 0, "restless": 0, "open_breaks": 1,
}  # fmt: skip
REPORT: Json = {
    "day": "2026-03-01",
    "revenue": {"amount_fen": 30},
    "paid_in": {"alipay": {"count": 1, "amount_fen": 1000}},
    "paid_back": {},
    "outcomes": [{"state": "succeeded", "count": 1, "sums": {"amount_fen": -30}}],
    "lines": [
        {
            "code": "use", "debit": "customers", "credit": "revenue", "count": 1,
            "sums": {"amount_fen": -30},
        }
    ],
}  # fmt: skip


def usage_day(day: str, **changes: Any) -> Json:
    view: Json = {
        "day": day, "jobs": 1, "attempts": 2, "charged_seconds": 100, "vcpu_ms": 150_500,
        "memory_mb_seconds": 51_200, "amount_fen": 30, "units": 0,
    }  # fmt: skip
    return view | changes


def break_view(break_id: str, **changes: Any) -> Json:
    view: Json = {
        "id": break_id, "type": "amount", "kind": "payment", "order": "ord_1", "number": "T1",
        "ours_fen": 1000, "theirs_fen": None, "state": "open", "found_at": NOW, "closed_at": None,
        "closed_by": None, "reason": None,
    }  # fmt: skip
    return view | changes


def upload_view(store: str, *, size_bytes: int, sha256: str, name: str | None = None) -> Json:
    return {
        "id": f"upl_{sha256[:4]}", "name": name, "size_bytes": size_bytes, "sha256": sha256,
        "url": f"{store}/{sha256}?a=b", "headers": {"content-length": str(size_bytes)},
        "url_expires_at": NOW, "expires_at": NOW,
    }  # fmt: skip


def outputs_view(store: str, *items: tuple[str, bytes], **missing: str) -> Json:
    found = [
        {
            "path": path, "size_bytes": len(data), "sha256": sha256(data).hexdigest(),
            "url": f"{store}/{sha256(data).hexdigest()}?a=b", "url_expires_at": NOW,
        }
        for path, data in items
    ]  # fmt: skip
    lacked = [{"path": f"/wharfage/{name}", "reason": why} for name, why in missing.items()]
    return {
        "attempt": 1, "complete": True, "items": found, "missing": lacked,
        "available_until": NOW,
    }  # fmt: skip


QUOTAS: list[Json] = [
    {"name": "live_jobs", "limit": 2000, "used": 3},
    {"name": "memory_mb", "limit": 4096, "used": 0},
    {"name": "spend_day_fen", "limit": 500000, "used": 28},
]
