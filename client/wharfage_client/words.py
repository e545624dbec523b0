"""What is said to people, in English and Chinese; codes and JSON are never translated."""

from collections.abc import Mapping

#: By key: English, Chinese.
TEXTS: Mapping[str, tuple[str, str]] = {
    # An error: its five fields.
    "what": ("{command} failed", "{command} 失败"),
    "label.error": ("error", "错误"),
    "label.why": ("why", "原因"),
    "label.do": ("do", "建议"),
    "label.code": ("code", "代码"),
    "label.request": ("request", "请求号"),
    # Where a job is.
    "status.pending": ("pending", "待重试"),
    "status.queued": ("queued", "排队中"),
    "status.starting": ("starting", "启动中"),
    "status.running": ("running", "运行中"),
    "status.stopping": ("stopping", "停止中"),
    "status.succeeded": ("succeeded", "成功"),
    "status.failed": ("failed", "失败"),
    "status.timed_out": ("timed out", "超时"),
    "status.cancelled": ("cancelled", "已取消"),
    "status.expired": ("expired", "已过期"),
    "status.lost": ("lost", "已丢失"),
    "status.rejected": ("rejected", "被退回"),
    "phase.claimed": ("claimed by host {host}", "已由主机 {host} 领取"),
    "phase.running": ("on host {host}", "位于主机 {host}"),
    "phase.held": ("{id}  at most {hold}", "{id}  最多 {hold}"),
    "phase.ended": ("after {elapsed}, cost {cost}", "用时 {elapsed}，费用 {cost}"),
    "phase.ended_code": (
        "exit code {code}, after {elapsed}, cost {cost}",
        "退出码 {code}，用时 {elapsed}，费用 {cost}",
    ),
    # What a job waits for.
    "waiting.backoff": (
        "a pause before the next try: {seconds} s", "等待 {seconds} 秒后重试",
    ),
    "waiting.no_matching_host": (
        "none of {hosts_enrolled} hosts could ever run it", "{hosts_enrolled} 台主机均不符合要求",
    ),
    "waiting.hosts_offline": (
        "the {hosts_matching} hosts that could run it take no work now",
        "符合要求的 {hosts_matching} 台主机当前均不接收任务",
    ),
    "waiting.hosts_full": (
        "{hosts_online} full; free: {cpu_millis_free} m CPU, {memory_mb_free} MiB at most",
        "{hosts_online} 台主机已满；最多空闲 CPU {cpu_millis_free} 毫核、{memory_mb_free} MiB",
    ),
    "waiting.image_pull": ("its host gets the image ready", "主机正在准备镜像"),
    "waiting.host": ("a host with room has been rung", "已通知有空位的主机"),
    # Why a job ended.
    "reason.exit_code": ("the program ended with a code other than 0", "程序以非零退出码结束"),
    "reason.out_of_memory": ("it ran out of its memory", "内存超限"),
    "reason.disk_exceeded": ("its volume outgrew its limit", "磁盘超限"),
    "reason.timeout": ("it ran into its time limit", "运行超时"),
    "reason.cancelled": ("it was cancelled", "已被取消"),
    "reason.account_stopped": ("the account is banned or suspended", "账号被封禁或停用"),
    "reason.funds": ("the balance did not allow more", "余额不足以继续"),
    "reason.queue_ttl": ("no host took it in time", "排队超时，无主机领取"),
    "reason.host_lost": ("its host went silent", "主机失联"),
    "reason.host_drained": ("its host was emptied", "主机被清空"),
    "reason.host_policy": ("the host's policy forbids it", "主机策略不允许"),
    "reason.disk_low": ("the host had too little free disk", "主机磁盘不足"),
    "reason.not_started": ("the host restarted before it began", "主机在其启动前重启"),
    "reason.no_report": ("the host did not report in time", "主机未按时上报"),
    "reason.image_not_found": ("there is no such image", "镜像不存在"),
    "reason.image_auth_failed": ("the registry refused the credentials", "镜像仓库拒绝了凭证"),
    "reason.image_pull_failed": ("the image could not be pulled", "镜像拉取失败"),
    "reason.image_wrong_platform": (
        "the image is for another kind of machine", "镜像平台不符",
    ),
    "reason.input_failed": ("an input file could not be brought to the host", "输入文件送达失败"),
    "reason.command_not_found": ("the image has no such program", "镜像中没有该程序"),
    "reason.command_not_executable": ("the program cannot be executed", "程序不可执行"),
    "reason.start_failed": ("the container could not be started", "容器无法启动"),
    "reason.engine_error": ("the host's engine failed", "主机引擎出错"),
    "reason.unknown": ("no reason was given", "未给出原因"),
    # Outputs.
    "output.missing": ("{path} is missing: {reason}", "缺少 {path}：{reason}"),
    "missing.not_found": ("the container left no such file", "容器未留下该文件"),
    "missing.not_a_file": ("it is no plain file", "不是普通文件"),
    "missing.too_large": ("it is larger than the volume may be", "超出卷的大小限制"),
    "missing.unreadable": ("the host could not read it", "主机无法读取"),
    "missing.upload_failed": ("it could not be stored", "未能保存"),
    "missing.not_started": ("the container never ran", "容器未曾运行"),
    "missing.not_delivered": ("the host did not bring it", "主机未送达"),
    "missing.expired": ("it is no longer kept", "已过保存期"),
    "missing.unknown": ("no reason was given", "未给出原因"),
    # A run.
    "run.cancelling": (
        "cancelling {id}; Ctrl-C again leaves it to end by itself",
        "正在取消 {id}；再按一次 Ctrl-C 直接离开",
    ),
    "run.left": (
        "left {id} behind; wharfage show {id}",
        "已离开，任务 {id} 仍存在；wharfage show {id}",
    ),
    "log.truncated": (
        "the log is longer than what is kept; the rest is not here",
        "日志超出保留上限，其余部分未保留",
    ),
    "log.gap": ("a part of the log was lost with its host", "部分日志随主机丢失"),
    # Paying.
    "pay.scan": ("Scan to pay {amount}, until {until}:", "请扫码支付 {amount}，有效期至 {until}："),
    "pay.open": (
        "Open to pay {amount}, until {until}:",
        "请打开以下页面支付 {amount}，有效期至 {until}：",
    ),
    "pay.app": (
        "Hand this text to Alipay's app to pay {amount}, until {until}:",
        "请将此文本交给支付宝客户端支付 {amount}，有效期至 {until}：",
    ),
    "pay.waiting": (
        "waiting for the payment; Ctrl-C leaves the order open",
        "等待支付；Ctrl-C 离开，订单保留",
    ),
    "pay.paid": ("paid {amount}; the balance is {available}", "已支付 {amount}，余额 {available}"),
    # Paying at the sandbox, step by step.
    "paying.order": ("{id} is {state}: {amount}", "订单 {id} 状态 {state}：{amount}"),
    "paying.wished": ("goes wrong on purpose: {faults}", "故意出错：{faults}"),
    "paying.pressed": ("paid at the cashier of {url}", "已在 {url} 的收银台付款"),
    "paying.notify": ("every notify is sent again by {url}", "{url} 正在重发全部通知"),
    "paying.finish": ("finished at {url}: no more refunds", "{url} 已结束该交易，不可再退款"),
    "paying.refund": ("refunded in the console of {url}", "已在 {url} 的后台退款"),
    "paying.told": (
        "notify {number}, sent {sends} times: {answer}", "通知 {number}，已发 {sends} 次：{answer}",
    ),
    "paying.told_again": (
        "notify {number}, sent {sends} times: {answer}; it is sent again",
        "通知 {number}，已发 {sends} 次：{answer}；将重发",
    ),
    "paying.credited": ("{id} is {state}", "订单 {id} 状态 {state}"),
    "paying.balance": ("the balance was {before} and is {after}", "余额由 {before} 变为 {after}"),
    "membership.until": ("member of {plan} until {end}", "{plan} 会员有效期至 {end}"),
    "membership.ended": ("your membership of {plan} ended at {end}", "{plan} 会员已于 {end} 到期"),
    "statement.open": (
        "{month} is not over: more entries may come", "{month} 尚未结束，可能还有新的条目",
    ),
    # Account.
    "account.signed_in": ("signed in to {url} as {email}", "已登录 {url}：{email}"),
    "account.signed_out": ("signed out of {url}", "已退出 {url}"),
    "ask.email": ("E-mail", "邮箱"),
    "ask.password": ("Password", "密码"),
    "ask.revoke": ("Revoke {name} ({id}) for good?", "确定永久注销 {name}（{id}）？"),
    "ask.refund": ("Send {amount} of {id} back?", "确定退回 {amount}（订单 {id}）？"),
    "ask.dispute.open": (
        "Set the money of {id} aside and freeze its account?",
        "确定划出订单 {id} 的款项并冻结其账户？",
    ),
    "ask.dispute.won": ("Give the money of {id} back?", "确定将订单 {id} 的款项归还用户？"),
    "ask.dispute.lost": (
        "Count the money of {id} as gone for good?", "确定订单 {id} 的款项已无法收回？",
    ),
    "ask.ban": ("Ban {name} ({id}) and stop its work?", "确定封禁 {name}（{id}）并停止其任务？"),
    "host.code": ("Run this on the machine, by {until}:", "请在 {until} 前于该主机上运行："),
    "host.revoked": ("revoked {id}", "已注销 {id}"),
    "list.more": ("only the newest {most} were looked at", "仅查看了最新的 {most} 条"),
    "list.empty": ("nothing here", "暂无内容"),
    "doctor.url": ("a server is named", "已指定服务器"),
    "doctor.reach": ("the server answers", "服务器可访问"),
    "doctor.clock": ("the clock agrees with the server's", "时钟与服务器一致"),
    "doctor.file": ("only you can read the session file", "会话文件仅本人可读"),
    "doctor.account": ("you are signed in", "已登录"),
    "doctor.good": ("good", "正常"),
    "doctor.bad": ("bad", "异常"),
    "doctor.unknown": ("not checked", "未检查"),
}  # fmt: skip

#: By code: why it failed and what to do, in English and Chinese. An empty why is the API's own.
ADVICE: Mapping[str, tuple[str, str, str, str]] = {
    "no_server": (
        "No server is named.", "未指定服务器。",
        "Give --url or set WHARFAGE_URL; `wharfage up` in a checkout starts one here.",
        "请使用 --url 或设置 WHARFAGE_URL；在代码目录中可用 wharfage up 启动本地服务。",
    ),
    "bad_url": (
        "{url} is not the address of a server.", "{url} 不是有效的服务器地址。",
        "Give an address such as https://wharfage.example.",
        "请提供形如 https://wharfage.example 的地址。",
    ),
    "insecure_url": (
        "Passwords and tokens do not cross a network in the clear: {url}.",
        "密码和令牌不得以明文经网络传输：{url}。",
        "Use https, or http to this machine only.", "请使用 https；http 仅限本机。",
    ),
    "bad_profile": (
        "{profile} is not the name of a profile.", "{profile} 不是有效的配置名。",
        "Use up to 32 letters, digits, - and _.", "请使用不超过 32 个字母、数字、- 或 _。",
    ),
    "config_file": (
        "{file} cannot be used: {reason}.", "配置文件 {file} 无法使用：{reason}。",
        "Correct it or remove it.", "请更正或删除该文件。",
    ),
    "session_file": (
        "{file} cannot be used: {reason}.", "会话文件 {file} 无法使用：{reason}。",
        "Correct what is wrong with it, or remove it and sign in again.",
        "请修复该文件，或将其删除后重新登录。",
    ),
    "unreachable": (
        "{url} does not answer: {reason}.", "{url} 无响应：{reason}。",
        "Check the address and the network, then try again; `wharfage doctor` looks at both.",
        "请检查地址和网络后重试；wharfage doctor 可帮助诊断。",
    ),
    "not_the_api": (
        "{url} answered {status} with something that is not this API.",
        "{url} 返回了 {status}，但不是本服务的接口。",
        "Check the address; a proxy may have answered.", "请检查地址；可能是代理的响应。",
    ),
    "not_signed_in": (
        "Nobody is signed in to this server.", "尚未登录此服务器。",
        "wharfage login", "wharfage login",
    ),
    "token_refused": (
        "The token in WHARFAGE_TOKEN is not accepted.", "WHARFAGE_TOKEN 中的令牌无效。",
        "Set another, or unset it and use `wharfage login`.",
        "请更换，或取消该变量后使用 wharfage login。",
    ),
    "ambiguous_id": (
        "{prefix} is the beginning of {count} ids: {examples}.",
        "{prefix} 匹配 {count} 个编号：{examples}。",
        "Type more of it.", "请输入更多字符。",
    ),
    "id_not_found": (
        "No id among the newest {looked_at} begins with {prefix}.",
        "最新的 {looked_at} 条中没有以 {prefix} 开头的编号。",
        "Give the whole id; `wharfage ps -a` shows those of jobs.",
        "请提供完整编号；wharfage ps -a 可查看任务编号。",
    ),
    "usage": (
        "{reason}", "{reason}",
        "{command} --help", "{command} --help",
    ),
    "file_unusable": (
        "{path} cannot be used: {reason}.", "文件 {path} 无法使用：{reason}。",
        "Check that it is there and that you may use it.", "请确认文件存在且有权限。",
    ),
    "file_not_sent": (
        "{path} was not taken: {reason}.", "文件 {path} 上传失败：{reason}。",
        "Try again; it must not change while it is sent.", "请重试；上传期间请勿修改文件。",
    ),
    "file_not_fetched": (
        "{path} was not fetched: {reason}.", "文件 {path} 下载失败：{reason}。",
        "Try again: wharfage outputs JOB --to DIR.", "请重试：wharfage outputs JOB --to DIR。",
    ),
    "prompt_needed": (
        "Something has to be typed, and there is no terminal or --json forbids to ask.",
        "需要输入，但当前不是终端或已使用 --json。",
        "Give --email and --password-stdin; --yes agrees.",
        "请使用 --email 和 --password-stdin；用 --yes 表示同意。",
    ),
    "no_checkout": (
        "The local stack lives in a checkout of the project, and this is not inside one.",
        "本地服务需要项目代码目录，当前目录不在其中。",
        "Clone the project, go into it, and run ./dev {command} there.",
        "请克隆项目并在其目录中运行 ./dev {command}。",
    ),
    "no_shell": (
        "There is no completion for {shell}: {reason}.", "无法为 {shell} 生成补全：{reason}。",
        "Name one: bash, zsh or fish.", "请指定 bash、zsh 或 fish。",
    ),
    "order_closed": (
        "The order was closed without a payment.", "订单已关闭，未收到付款。",
        "Open a new one: wharfage topup", "请重新下单：wharfage topup",
    ),
    "not_the_sandbox": (
        "{url} is not the sandbox of a local stack; nothing was paid.",
        "{url} 不是本地沙箱；未支付任何款项。",
        "Use an order of a stack that `wharfage up` started; real money is paid by people.",
        "请使用由 wharfage up 启动的本地服务的订单；真实付款须由本人完成。",
    ),
    "no_sandbox": (
        "{id} is not open, so nothing says where its sandbox is.",
        "订单 {id} 已不可支付，无法得知沙箱地址。",
        "Give --sandbox or set WHARFAGE_SANDBOX; `wharfage up` prints the address.",
        "请使用 --sandbox 或设置 WHARFAGE_SANDBOX；wharfage up 会显示该地址。",
    ),
    "no_sandbox_there": (
        "The sandbox at {url} does not answer.", "沙箱 {url} 无响应。",
        "Start the local stack: wharfage up", "请启动本地服务：wharfage up",
    ),
    "sandbox_refused": (
        "The sandbox refused it with status {status}.", "沙箱拒绝了请求，状态 {status}。",
        "Check that the order belongs to this stack and that its time is not over.",
        "请确认订单属于该服务且未过期。",
    ),
    "not_credited": (
        "{id} was paid, and was not credited within {waited}.",
        "订单 {id} 已付款，但在 {waited} 内未到账。",
        "Wait longer with --wait: the sweeper asks Alipay; `wharfage orders` shows where it is.",
        "可用 --wait 延长等待：系统会主动查询；wharfage orders 可查看状态。",
    ),
    "unhealthy": (
        "Something is wrong; see above.", "存在异常，见上。",
        "Mend what is said to be bad, from the top.", "请从上到下依次修复。",
    ),
    "job_ended": (
        "{id} ended as {status}: {reason}.", "任务 {id} 结束，状态 {status}：{reason}。",
        "wharfage show {id}", "wharfage show {id}",
    ),
    "internal_client_error": (
        "The client itself has a fault: {reason}.", "客户端自身出错：{reason}。",
        "Report it with the command you typed.", "请连同所用命令一并反馈。",
    ),
    "unauthenticated": ("", "", "wharfage login", "wharfage login"),
    "session_ended": ("", "", "wharfage login", "wharfage login"),
    "insufficient_funds": (
        "The balance is not enough: {required} is needed and {available} is available.",
        "余额不足：需要 {required}，可用 {available}。",
        "Top up: wharfage topup YUAN", "请充值：wharfage topup 金额（元）",
    ),
    "account_suspended": (
        "", "", "Top up: wharfage topup YUAN", "请充值：wharfage topup 金额（元）",
    ),
    "limit_reached": ("", "", "wharfage quota", "wharfage quota"),
}  # fmt: skip


class Words:
    """Says things in one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._at = 1 if language == "zh" else 0

    def __call__(self, key: str, **facts: object) -> str:
        """Say a text, with the facts that belong in it."""
        return TEXTS[key][self._at].format(**facts)

    def known(self, kind: str, name: str, **facts: object) -> str:
        """Say what a code of the API means; one that is newer than this client is itself."""
        text = TEXTS.get(f"{kind}.{name}")
        if text is None:
            return name
        try:
            return text[self._at].format(**facts)
        except KeyError:
            return name

    def advice(self, code: str, **facts: object) -> tuple[str, str]:
        """Say why a failure with this code came, and what to do; empty where we do not know."""
        found = ADVICE.get(code)
        if found is None:
            return "", ""
        why, todo = found[self._at], found[2 + self._at]
        try:
            return why.format(**facts), todo.format(**facts)
        except KeyError:
            return "", todo


def language_of(environ: Mapping[str, str]) -> str:
    """Choose `en` or `zh`: WHARFAGE_LANG, then the locale's own variables in their order."""
    for name in ("WHARFAGE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
