"""Every limit of the product, by name, in one place."""

JSON_DEPTH_MAX = 32  #: Lists and objects within each other in one body.
BODY_BYTES_MAX = 1024 * 1024  #: One API request body.
NOTIFY_BYTES_MAX = 16 * 1024  #: One payment notify.
PAGE_DEFAULT = 20  #: Items a list answers with.
PAGE_MAX = 100  #: Items a list can be asked for.
WAIT_SECONDS_MAX = 20  #: How long a GET may wait for a change.

TOPUP_FEN_MIN = 100  #: CNY 1.
TOPUP_FEN_MAX = 5_000_000  #: CNY 50,000.
ORDER_SECONDS = 15 * 60  #: How long an order waits for its payment.
OPEN_ORDERS_MAX = 20  #: Listed in the order rate window.

MOVES_PAGE = 1000  #: Entries that are read at a time where many are summed up.
STATEMENT_REST_SECONDS = 3600  #: So long after a month's end nothing can be added to it any more.
INVOICE_ORDERS_MAX = 300  #: Orders on one invoice.
INVOICE_LOOK_HOURS = 24  #: How often the orders of an issued invoice are looked at,
INVOICE_WATCH_DAYS = 400  #: and how long: no channel refunds what is older.
USAGE_DAYS_MAX = 31  #: Days that usage can be asked for at a time.
USAGE_DAYS_SHOWN = 7  #: Days of usage that are shown unless more are asked for.

BREAKER_MISSES = 5  #: Calls of a channel in a row that it leaves unanswered,
BREAKER_WINDOW_SECONDS = 60  #: within so long: then it gets no new orders,
BREAKER_OPEN_SECONDS = 30  #: for so long. After that one order is a trial,
BREAKER_TRIAL_SECONDS = 30  #: and the next another one, if nothing was heard of it.

BILL_PACKED_BYTES_MAX = 32 * 1024 * 1024  #: One day's bill of a channel, as it is sent.
BILL_BYTES_MAX = 128 * 1024 * 1024  #: The same, unpacked.
BILL_SECONDS = 60  #: For fetching all of it; what takes longer is fetched again later.
BILL_MEMBERS_MAX = 10  #: Files in one bill's archive; honest ones have two.
RECONCILE_HOUR = 10  #: In China, of the next day: a day's bills are made by then.
RECONCILE_LATE_HOURS = 8  #: A first look at a day that has not ended so much later is late.
RECONCILE_DAYS_MAX = 14  #: Days that are caught up with by itself after a pause.
RECONCILE_DAYS_BACK = 90  #: A day that the operator may have looked at again.
RECONCILE_REFUND_DAYS = 30  #: A refund that took longer is not looked for in a bill.
RECONCILE_PAGE = 30  #: Rows of a bill, or payments of ours, in one step: three keys each.
AUDIT_PAGE = 20  #: Accounts replayed in one step.
MIDNIGHT_CARRY_MINUTES = 10  #: What we record so shortly before midnight may be the next day's.
REFUND_WAIT_SECONDS = 10  #: What became of a refund is asked no sooner than this after a call.
REFUND_WAIT_SECONDS_MAX = 3600
REFUND_CALL_SECONDS = 30  #: A call that was begun and not noted as answered is over by then.
REFUND_LOOKS_PATIENT = 6  #: Asked so often without an end, the operator is told.

PASSWORD_CHARACTERS_MIN = 10
PASSWORD_BYTES_MAX = 1024
EMAIL_CHARACTERS_MAX = 254

ACCESS_TOKEN_SECONDS = 15 * 60
SESSION_DAYS = 30
OPERATOR_CODE_HOURS = 24
ENROLMENT_MINUTES = 15
AGENT_TOKEN_HOURS = 24  #: After this an agent's token is replaced by a new one.

SUBMITS_PER_MINUTE = 600
SIGN_IN_WINDOW_SECONDS = 300
SIGN_INS_PER_EMAIL = 20  #: Tries to sign in to one account, in one such window.
SIGN_INS_PER_ADDRESS = 600  #: Tries from one network address, in one such window.
REGISTRATIONS_PER_ADDRESS = 300
OPERATOR_CODES_PER_ADDRESS = 30
NOTIFIES_FORGED_PER_ADDRESS = 100  #: That no channel has signed, from one address, in a minute.
CREDENTIAL_BYTES_MAX = 8 * 1024  #: One request body that carries a password or a token.

IMAGE_CHARACTERS_MAX = 255
COMMAND_WORDS_MAX = 256
COMMAND_BYTES_MAX = 32 * 1024  #: Command and entrypoint of a job together.
ENV_VARIABLES_MAX = 200
ENV_VALUE_BYTES_MAX = 64 * 1024
ENV_BYTES_MAX = 256 * 1024  #: All variables of a job together, names included.
INPUT_BYTES_MAX = 256 * 1024  #: The JSON object of one job.
SPEC_BYTES_MAX = 300 * 1024  #: Input, variables and command of a job together.
SCHEMA_TEXT_CHARACTERS_MAX = 200  #: One text in a template's input schema.
SCHEMA_PROPERTIES_MAX = 64  #: Of one object in it.
TEMPLATE_BYTES_MAX = 48 * 1024  #: One request body that defines a template.
PERIODS_SHOWN = 12  #: Months of a membership that the quota shows.
UNITS_MAX = 1_000_000  #: The price of one template, or one adjustment.
LABELS_MAX = 8
INPUT_BYTES_MAX = 256 * 1024  #: The JSON object of one job.
SPEC_BYTES_MAX = 300 * 1024  #: Input, variables and command of a job together.
IDEMPOTENCY_KEY_CHARACTERS_MAX = 64

CPU_MILLIS_MIN, CPU_MILLIS_MAX = 10, 64_000
MEMORY_MB_MIN, MEMORY_MB_MAX = 8, 512 * 1024
DISK_MB_MIN, DISK_MB_MAX = 1, 1024 * 1024
RUN_SECONDS_MAX = 7 * 24 * 3600
QUEUE_SECONDS_MAX = 7 * 24 * 3600
STOP_GRACE_SECONDS_MAX = 300
ATTEMPTS_MAX = 10
RETRY_RULES_MAX = 5
BACKOFF_SECONDS_MAX = 3600
PLATFORM_FAULTS_MAX = 5  #: Free repeats of one job before it is given up.

CLAIMED_SECONDS = 60  #: From the claim to the first report.
CLAIM_REPEAT_SECONDS = (
    30  #: A lost claim is answered again so long: the report still comes in time.
)
PREPARING_SECONDS = 15 * 60
STARTING_SECONDS = 2 * 60
CONTROL_GRACE_SECONDS = 60  #: Control waits this much longer than the agent.

LEASE_SECONDS = 60
LEASE_GRACE_SECONDS = 15
HEARTBEAT_BUSY_SECONDS = 10
HEARTBEAT_IDLE_SECONDS = 45  #: Well inside the lease, or an idle host seems to be away.
CLAIMS_MAX = 10  #: Jobs one claim call can take.
CLAIM_ANSWER_BYTES = 4 * 1024 * 1024  #: Once its specifications are this large, it takes no more.
REPORTS_MAX = 25
LOG_CHUNKS_MAX = 16
LOGS_BODY_BYTES_MAX = 2 * 1024 * 1024
READY_PAGES_MAX = 5
PRIORITY_HEAD_START_SECONDS = 600

UPLOAD_BYTES_MAX = 64 * 1024 * 1024  #: One uploaded file.
UPLOADS_MAX = 100  #: What one account can have uploaded, or be uploading, at a time.
UPLOADS_PER_MINUTE = 60
UPLOAD_HOURS = 24  #: How long an upload is kept that no job uses.
UPLOAD_DAYS_MAX = 30  #: How long one is kept at most, whatever uses it.
FILES_MAX = 10  #: Uploads that one job can use.
OUTPUTS_MAX = 20  #: Files that one job can hand out.
OUTPUT_PATH_CHARACTERS_MAX = 255
OUTPUT_BYTES_MAX = 5 * 1024**3  #: One output: what S3 takes in one request.
OUTPUT_DAYS = 7
OUTPUTS_LATE_SECONDS = 600  #: Outputs are accepted this long after the attempt's end.
LINK_SECONDS = 15 * 60  #: How long a link to a file is good.
INPUT_LINK_SECONDS = 3600  #: The same for a host, which may have an image to pull first.

LOG_CHUNK_BYTES = 64 * 1024  #: Plain bytes of one stored chunk.
LOG_CHUNK_PACKED_BYTES_MAX = LOG_CHUNK_BYTES + 1024  #: The same as gzip, at its worst.
LOG_CAP_BYTES = 16 * 1024 * 1024  #: Plain bytes kept of one stream.
LOG_ANSWER_BYTES_MAX = 1024 * 1024
LOG_DAYS = 7
LOG_LATE_SECONDS = 600  #: Chunks are accepted this long after the attempt's end.
LOG_GAP_SECONDS = 60  #: A stream that has not ended this long after the attempt has a gap.

#: What an account's live work may take unless the operator says otherwise (domain/quotas.py).
ACCOUNT_LIVE_JOBS = 2_000
ACCOUNT_QUEUED_JOBS = 2_000
ACCOUNT_VCPU_MILLIS = 2_000_000
ACCOUNT_MEMORY_MB = 4 * 1024 * 1024
ACCOUNT_SPEND_HOUR_FEN = 1_000_000  #: CNY 10,000.
ACCOUNT_SPEND_DAY_FEN = 5_000_000
QUOTA_MAX = 10**12  #: What the operator can set one of them to.
LOW_SECONDS = 24 * 3600  #: Money for less than this at the present burn is low,
CRITICAL_SECONDS = 2 * 3600  #: and for less than this critical.
OVERDUE_GRACE_HOURS = 72  #: A debt that is older suspends its account.
LOOK_SECONDS_MIN = 60  #: An account whose work runs is looked at again after at least this,
LOOK_SECONDS_MAX = 3600  #: and at most this.
SPEND_DAYS = 3  #: How long the row of a day's spend is kept.

WATCH_SECONDS = 10  #: How often the duty marks are refreshed at most.
LAPSE_WAIT_SECONDS = 3600  #: An ended month of which work still holds units is looked at again.
SWEEP_PAGE = 100
SWEEP_KIND_SECONDS = 15  #: No kind of due item takes more of a sweep, which may last a minute.
SWEEP_BACKOFF_SECONDS = 60  #: A due item that failed is looked at again after this.
SWEEP_LATE_SECONDS = 180  #: A sweep that has not run for so long is late.
SWEEP_STALE_SECONDS = 30  #: Older duty marks than this: take no lease away.
HOSTS_GIVEN_UP_PERCENT = 10  #: Of the ready hosts, in one minute; always at least one.

DOORBELL_BYTES_MAX = 1024
