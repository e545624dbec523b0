"""Errors as HTTP says them: one table from refusals to statuses, and RFC 9457 documents.

`code` is for programs and never translated; titles and details are for people, in English and
Chinese. A refusal's facts go into the document by name; nothing else of an error ever does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import msgspec

from wharfage.domain import errors
from wharfage.domain.errors import Refused
from wharfage.settings import Settings

CONTENT_TYPE = "application/problem+json"
MONEY_CODES = frozenset({errors.InsufficientFunds.code, errors.AccountSuspended.code})


@dataclass(eq=False)
class UnknownRoute(errors.Refused):
    """No route of the API has this path."""

    code: ClassVar[str] = "route_not_found"


@dataclass(eq=False, kw_only=True)
class MethodNotAllowed(errors.Refused):
    """The path exists, but not with this method."""

    code: ClassVar[str] = "method_not_allowed"
    allowed: tuple[str, ...]


@dataclass(eq=False)
class UnsupportedMediaType(errors.Refused):
    """The body is not declared as JSON."""

    code: ClassVar[str] = "unsupported_media_type"


@dataclass(eq=False)
class Broken(errors.Refused):
    """Something of ours failed; it is in our log under the request id."""

    code: ClassVar[str] = "internal_error"


class Row(NamedTuple):
    """A status, and what to say in English and Chinese: a title, and what to do about it."""

    status: int
    title: str
    title_zh: str
    advice: str
    advice_zh: str


TABLE: Mapping[type[Refused], Row] = {
    errors.Malformed: Row(
        400,
        "The request cannot be read", "无法读取请求",
        "Correct the request as `errors` says.", "请按 errors 中的说明更正请求。",
    ),
    errors.NotifyRefused: Row(
        400,
        "This notify is not believed", "通知未通过验证",
        "It failed the step `{step}`; nothing has changed.", "未通过 {step} 检查，未作任何更改。",
    ),
    errors.BillRefused: Row(
        400,
        "This bill is not believed", "对账单未通过验证",
        "Its {reason} is wrong; nothing has changed.", "账单的 {reason} 有误，未作任何更改。",
    ),
    errors.Unauthenticated: Row(
        401,
        "Sign in first", "请先登录",
        "Send a valid token in the Authorization header.",
        "请在 Authorization 头中提供有效的令牌。",
    ),
    errors.WrongCredentials: Row(
        401,
        "E-mail address or password is wrong", "邮箱或密码错误",
        "Check both and try again.", "请检查后重试。",
    ),
    errors.SessionEnded: Row(
        401,
        "This session has ended", "会话已结束",
        "Sign in again.", "请重新登录。",
    ),
    errors.InsufficientFunds: Row(
        402,
        "The balance is not enough", "余额不足",
        "{required_fen} fen are needed and {available_fen} are available. Top up and try again.",
        "需要 {required_fen} 分，可用 {available_fen} 分。请充值后重试。",
    ),
    errors.AccountSuspended: Row(
        402,
        "This account is suspended", "账户已停用",
        "{debt_fen} fen are owed. Top up at least that much; work is accepted again at once.",
        "欠款 {debt_fen} 分。充值不少于该金额后立即恢复。",
    ),
    errors.Forbidden: Row(
        403,
        "This is not allowed", "没有权限",
        "Ask the operator if you should be able to do this.", "如需权限，请联系管理员。",
    ),
    errors.Banned: Row(
        403,
        "This account is banned", "账号已被封禁",
        "Its balance is untouched. Contact the operator.", "余额不受影响，请联系管理员。",
    ),
    errors.AccountFrozen: Row(
        403,
        "This account's money is frozen", "账户资金已冻结",
        "No new work is started. Contact the operator.", "暂不接受新任务，请联系管理员。",
    ),
    errors.OrderRefused: Row(
        403,
        "This order is not accepted", "订单未被接受",
        "It is unusual by the rule `{rule}`. Order less or later, or ask the operator.",
        "该订单触发规则 {rule}。请减小金额、稍后再试或联系管理员。",
    ),
    errors.NotFound: Row(
        404,
        "There is no such thing", "未找到",
        "Check the id.", "请检查编号。",
    ),
    UnknownRoute: Row(
        404,
        "There is no such route", "接口不存在",
        "See /v1/openapi.json for every route.", "全部接口见 /v1/openapi.json。",
    ),
    MethodNotAllowed: Row(
        405,
        "The path does not have this method", "不支持该方法",
        "See /v1/openapi.json for every route.", "全部接口见 /v1/openapi.json。",
    ),
    errors.StateConflict: Row(
        409,
        "Its present state does not allow this", "当前状态不允许此操作",
        "Look at it again and decide anew.", "请刷新后再试。",
    ),
    errors.StaleClaim: Row(
        409,
        "This claim no longer holds", "领取已失效",
        "Stop and remove that container.", "请停止并删除该容器。",
    ),
    errors.StaleBoot: Row(
        409,
        "Another life of this host is in charge", "该主机已由新的进程接管",
        "Stop this agent, or send a heartbeat with its new boot id.",
        "请停止此代理，或以新的 boot id 发送心跳。",
    ),
    errors.EmailTaken: Row(
        409,
        "An account with this e-mail address exists", "该邮箱已注册",
        "Sign in instead.", "请直接登录。",
    ),
    errors.OrderNotOpen: Row(
        409,
        "The order is no longer waiting for a payment", "订单已不在待支付状态",
        "Open a new order.", "请重新下单。",
    ),
    errors.OrderInReview: Row(
        409,
        "The operator looks at this order first", "订单正在审核",
        "Look at it again later; it can be paid once it is approved, and closes by itself if not.",
        "请稍后查看：审核通过后即可支付，逾期未审核将自动关闭。",
    ),
    errors.NotInvoiceable: Row(
        409,
        "There is no invoice to be had for this month", "该月份无法开具发票",
        "The reason is `{reason}`. A month is invoiced once, an hour after its end at the "
        "earliest, for what was paid in it and has not gone back.",
        "原因：{reason}。每个月份只开具一次，最早在月末一小时后，金额为已支付且未退回的部分。",
    ),
    errors.NotRefundable: Row(
        409,
        "So much of the order cannot go back", "订单无法退还该金额",
        "At most `refundable_fen` of a paid order can go back; of two months the later goes first.",
        "已支付订单最多可退 refundable_fen 分；会员续费的，请先退较晚的月份。",
    ),
    errors.OutdatedVersion: Row(
        412,
        "It has changed since you read it", "内容已被修改",
        "Read it again, then repeat your change.", "请重新读取后再修改。",
    ),
    errors.TooLarge: Row(
        413,
        "The request is too large", "请求过大",
        "At most {limit_bytes} bytes are accepted here.", "此处最多接受 {limit_bytes} 字节。",
    ),
    UnsupportedMediaType: Row(
        415,
        "The body is not declared as JSON", "请求体类型不受支持",
        "Send Content-Type: application/json.", "请使用 Content-Type: application/json。",
    ),
    errors.Invalid: Row(
        422,
        "The request is not acceptable", "请求内容不符合要求",
        "Correct the fields that `errors` names.", "请更正 errors 中列出的字段。",
    ),
    errors.KeyReused: Row(
        422,
        "This Idempotency-Key was used with another body", "幂等键已用于不同的请求",
        "Use a new key for a new request.", "新请求请使用新的幂等键。",
    ),
    errors.CodeRejected: Row(
        422,
        "The code is unknown, used or has expired", "验证码无效、已使用或已过期",
        "Ask for a new code.", "请获取新的验证码。",
    ),
    errors.PoolUnknown: Row(
        422,
        "There is no such pool for this account", "该账号不可使用此资源池",
        "Use `default`, or ask the operator for {pool}.", "请使用 default，或向管理员申请 {pool}。",
    ),
    errors.RateLimited: Row(
        429,
        "Too many requests", "请求过于频繁",
        "Try again in {retry_after_seconds} seconds.", "请在 {retry_after_seconds} 秒后重试。",
    ),
    errors.LimitReached: Row(
        429,
        "A limit of this account is reached", "已达到账号上限",
        "{limit_name}: {used} of {limit} are used and {asked} more were asked.",
        "{limit_name}：上限 {limit}，已用 {used}，本次请求 {asked}。",
    ),
    Broken: Row(
        500,
        "Something of ours failed", "服务内部错误",
        "Try again; if it stays, tell the operator the request id.",
        "请重试；如仍失败，请将 request_id 告知管理员。",
    ),
    errors.Unavailable: Row(
        503,
        "Not now", "服务暂不可用",
        "Try again in {retry_after_seconds} seconds.", "请在 {retry_after_seconds} 秒后重试。",
    ),
    errors.Unanswered: Row(
        503,
        "The outcome is not known yet", "结果未知",
        "Repeat the same request with the same Idempotency-Key; repeating is safe.",
        "请使用相同的幂等键重复请求，重复是安全的。",
    ),
}  # fmt: skip

#: What is waited for when the refusal itself does not know how long.
_RETRY_SECONDS = {429: 5, 503: 2}


def row(refusal: type[Refused]) -> Row:
    """Find what HTTP says for a refusal: its own row, or that of the nearest parent with one."""
    for cls in refusal.__mro__:
        if issubclass(cls, Refused) and cls in TABLE:
            return TABLE[cls]
    return TABLE[Broken]


def document(refusal: Refused, *, request_id: str, language: str, settings: Settings) -> bytes:
    """Write the problem document of a refusal. *language* is `en` or `zh`."""
    status, title, title_zh, advice, advice_zh = row(type(refusal))
    facts = refusal.facts
    faults = facts.pop("faults", ())
    if language == "zh":
        title, advice = title_zh, advice_zh
    problem: dict[str, Any] = {
        "type": f"{settings.public_url}/v1/errors/{refusal.code}",
        "title": title,
        "status": status,
        "detail": advice.format_map(facts),
        "code": refusal.code,
        "request_id": request_id,
        **facts,
    }
    if faults:
        problem["errors"] = [
            {"pointer": each.pointer, "code": each.code, "message": each.message} for each in faults
        ]
    if refusal.code in MONEY_CODES:
        problem["topup_url"] = settings.topup_url
    return msgspec.json.encode(problem)


def headers(refusal: Refused) -> dict[str, str]:
    """Return the headers that belong to a refusal: when to come back, how to sign in."""
    status = row(type(refusal)).status
    found = {"Content-Type": CONTENT_TYPE}
    if status == 401:
        found["WWW-Authenticate"] = "Bearer"
    if status in _RETRY_SECONDS:
        seconds = refusal.facts.get("retry_after_seconds", _RETRY_SECONDS[status])
        found["Retry-After"] = str(seconds)
    if isinstance(refusal, MethodNotAllowed):
        found["Allow"] = ", ".join(refusal.allowed)
    if isinstance(refusal, errors.RateLimited):
        found["RateLimit"] = f'"{refusal.action}";r=0;t={refusal.retry_after_seconds}'
    return found


def language_of(accept_language: str) -> str:
    """Choose `en` or `zh` from an Accept-Language header; the first of equals wins."""
    best, best_weight = "en", 0.0
    for part in accept_language.split(",")[:16]:
        tag, _, parameter = part.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if primary in ("en", "zh") and weight > best_weight:
            best, best_weight = primary, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
