"""The cashier's pages: one small page in Chinese and English that asks nobody else for anything."""

from html import escape

from infrastructure.local.sandbox.trades import CLOSED, SUCCESS, WAITING, Trade

_STYLE = """
:root { color-scheme: light dark; --accent: #1677ff; --card: #fff; --ground: #f0f4fa;
  --ink: #1f2329; --soft: #667085; --line: #e4e9f0 }
@media (prefers-color-scheme: dark) {
  :root { --card: #1b1f27; --ground: #101319; --ink: #f2f4f7; --soft: #98a2b3; --line: #2c323d } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, "PingFang SC",
  "Microsoft YaHei", sans-serif }
main { width: min(26rem, 100%); background: var(--card); border-radius: 1rem; overflow: hidden;
  box-shadow: 0 8px 30px rgb(16 24 40 / 12%) }
header { background: var(--accent); color: #fff; padding: 1rem 1.5rem; font-weight: 600 }
header small { display: block; font-weight: 400; opacity: .85 }
section { padding: 1.5rem }
.amount { font-size: 2.5rem; font-weight: 650; text-align: center; margin: .5rem 0 1.25rem;
  font-variant-numeric: tabular-nums }
dl { display: grid; grid-template-columns: auto 1fr; gap: .5rem 1rem; margin: 0 0 1.5rem;
  padding-top: 1rem; border-top: 1px solid var(--line); font-size: .9rem }
dt { color: var(--soft) } dd { margin: 0; text-align: right; overflow-wrap: anywhere }
button { width: 100%; border: 0; border-radius: .6rem; padding: .85rem; font: inherit;
  font-weight: 600; background: var(--accent); color: #fff; cursor: pointer }
button:hover { filter: brightness(1.07) }
button:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px }
.state { text-align: center; font-weight: 600; font-size: 1.1rem }
footer { padding: 0 1.5rem 1.25rem; color: var(--soft); font-size: .8rem; text-align: center }
"""

_STATES = {
    SUCCESS: "支付成功 · Paid",
    CLOSED: "交易已关闭 · Closed",
}


def cashier(trade: Trade) -> str:
    """Show a trade, with a button to pay it while it waits."""
    if trade.status == WAITING:
        action = (
            f'<form method="post" action="/cashier/{escape(trade.token)}/pay">'
            '<button type="submit">立即付款 · Pay</button></form>'
        )
    else:
        state = _STATES.get(trade.status or "", "已过期 · Expired")
        action = f'<p class="state" role="status">{state}</p>'
    return _page(
        f'<p class="amount">¥{escape(trade.amount)}</p>'
        f"<dl><dt>商品 · Item</dt><dd>{escape(trade.subject)}</dd>"
        f"<dt>订单号 · Order</dt><dd>{escape(trade.order_no)}</dd></dl>{action}"
    )


def notice(chinese: str, english: str) -> str:
    """Show one sentence."""
    return _page(f'<p class="state" role="status">{escape(chinese)}<br>{escape(english)}</p>')


def _page(content: str) -> str:
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>收银台 · Cashier</title><style>{_STYLE}</style></head><body><main>"
        "<header>沙箱收银台<small>Sandbox cashier</small></header>"
        f"<section>{content}</section>"
        "<footer>这里不使用真实资金。<br>No real money moves here.</footer>"
        "</main></body></html>"
    )
