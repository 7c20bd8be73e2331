/** What one error code means, and what a person can do about it. */
export interface ErrorCodeEntry {
  /** What happened, in one sentence. */
  readonly summary: string;
  /** What to do, in one sentence. */
  readonly fix: string;
  /** Whether trying the same call again, unchanged, may succeed. */
  readonly retryable: boolean;
}

const entry = (summary: string, fix: string, retryable = false): ErrorCodeEntry => ({ summary, fix, retryable });

/**
 * Every error code of every Hebra package, in one table. Codes are stable: one is never renamed or given another
 * meaning
 * within a major version. Each has a heading in `docs/errors.md`.
 */
export const errorCodes = {
  // Everywhere
  INVALID_OPTIONS: entry(
    "An option is unknown, missing or of the wrong kind.",
    "Correct the option that the message names.",
  ),
  INVALID_ID: entry(
    "An id or key holds a character that not every store can keep (U+0000 or a lone surrogate), is empty, or is too long.",
    "Use a non-empty well-formed string of at most 512 characters.",
  ),
  NOT_SERIALIZABLE: entry(
    "A value is not plain JSON.",
    "Pass only null, booleans, finite numbers, well-formed strings, arrays and plain objects.",
  ),
  PEER_MISSING: entry(
    "A feature needs an optional package that is not installed.",
    "Install the package that the message names.",
  ),
  UNREACHABLE: entry(
    "A server could not be reached.",
    "Check its address and that it runs; the call can be repeated.",
    true,
  ),
  SERVER_REFUSED: entry(
    "A server answered a command with an error.",
    "Read the server's message: permissions, memory and configuration are the usual causes.",
  ),
  TIMEOUT: entry(
    "Something took longer than its limit.",
    "Repeat the call, or raise the limit that the message names.",
    true,
  ),
  ABORTED: entry("The caller's signal aborted the call.", "Nothing: this is what was asked for."),
  CLOSED: entry("A component was used after it was closed.", "Create a new one, or close it later."),
  UNSUPPORTED: entry(
    "The backend or configuration does not support what was asked.",
    "Choose another backend or leave the option out; the message names it.",
  ),
  ILLEGAL_TRANSITION: entry(
    "A state machine was asked for an edge that does not exist.",
    "Read the current state first; the message names both states.",
  ),
  INTERNAL: entry("Hebra broke one of its own invariants.", "Report it with the message and the stack."),

  // @hebra/lock
  LOCK_TIMEOUT: entry("A lock was not obtained within its waiting time.", "Wait longer, or come back later.", true),
  LOCK_LOST: entry(
    "A lock was held no longer when it was used.",
    "Stop the work it protected; take the lock again for new work.",
    true,
  ),

  // @hebra/bus
  ENVELOPE_INVALID: entry("A message could not be decoded.", "It is in the dead letters; inspect it there."),
  ENVELOPE_TOO_LARGE: entry("A message is larger than the bus accepts.", "Pass large content by reference."),
  BACKLOG_FULL: entry(
    "A conversation holds as many waiting messages as it may.",
    "Publish later, or raise the backlog limit.",
    true,
  ),
  UPGRADE_REQUIRED: entry("A newer process wrote a format that this one cannot read.", "Upgrade this process."),
  DURABILITY_UNSUPPORTED: entry(
    "The server cannot give the durability asked for.",
    "Upgrade the server or ask for a lower durability.",
  ),
  DURABILITY_MISSED: entry(
    "A message is stored, but not as durably as its publisher asked.",
    "Publish it again with the same id, or accept less.",
    true,
  ),
  LEASE_LOST: entry(
    "A delivery's lease ended before it was acknowledged.",
    "Drop the work: the messages are delivered again.",
    true,
  ),

  // @hebra/reactor
  REACTOR_FAILED: entry("A reactor ended with an error.", "See the cause; the thread stays usable.", true),
  REACTOR_PROTOCOL: entry(
    "A reactor broke the order of events of its contract.",
    "Fix the reactor; run the contract kit of @hebra/reactor/testing against it.",
  ),
  PROMPT_TOO_LONG: entry(
    "A prompt has more tokens than the model or the definition's `prompt.maxTokens` allows, also after shortening.",
    "Shorten the message, the instructions or the actions, or raise the limit; the thread stays usable.",
  ),
  SCRIPT_EXHAUSTED: entry(
    "A scripted reactor was asked for more steps than its script has.",
    "Add steps, or set `repeatLast`.",
  ),
  MODEL_UNSUPPORTED: entry(
    "A model has a specification version that this reactor does not know.",
    "Use a model of a version that the message lists.",
  ),

  // @hebra/thread
  STALE_FENCE: entry("A newer holder has taken over this context.", "Stop: the newer holder goes on with the work."),
  VERSION_CONFLICT: entry("The context moved since it was read.", "Load the context again and repeat.", true),
  TRIGGER_MISMATCH: entry("A trigger id was used before with another payload.", "Give each trigger an id of its own."),
  THREAD_BUSY: entry(
    "The thread runs another execution and its policy is `reject`.",
    "Try again when the execution has ended.",
    true,
  ),
  THREAD_NOT_FOUND: entry("There is no thread at this address.", "Check the tenant and the key or id."),
  CONTEXT_NOT_FOUND: entry("There is no context with this id.", "Check the tenant and the id."),
  CONTEXT_CLOSED: entry("The context is closed.", "Reopen it first."),
  CONTEXT_MIGRATING: entry("The context is being imported.", "Try again when the import has ended.", true),
  EXECUTION_NOT_FOUND: entry("There is no execution with this id.", "Check the tenant and the id."),
  ITEM_NOT_FOUND: entry("There is no item with this id in the context.", "Check the tenant, the context and the id."),
  DEFINITION_MISSING: entry(
    "This process has not got the definition that an execution names.",
    "Register the definition under that name, or let another worker take it.",
    true,
  ),
  ATTEMPTS_EXHAUSTED: entry(
    "A turn was cut off by crashes as often as it may be.",
    "Find what ends the process; then send the message again under a new id.",
  ),
  ANSWER_TOO_LARGE: entry(
    "An answer of a model holds more calls, parts or characters than it may.",
    "Nothing, when the model went astray; else raise `answerLimits` of the engine.",
  ),
  OUTBOX_FAILED: entry(
    "The engine's `outbox` function threw when a turn ended.",
    "Correct the function: it must not throw; the turn is kept as failed.",
  ),
  ACTION_NOT_FOUND: entry("The model asked for an action that does not exist.", "Nothing: the model is told."),
  ACTION_INPUT_INVALID: entry("The input of an action did not fit its schema.", "Nothing: the model is told."),
  ACTION_OUTPUT_INVALID: entry(
    "The output of an action did not fit its schema, or has no JSON form.",
    "Correct the action: the call has succeeded, and its output is not kept.",
  ),
  ACTION_FAILED: entry("An action threw.", "See the cause; the model is told."),
  ACTION_TIMEOUT: entry(
    "An action took longer than its `timeoutMs`.",
    "Raise the limit or make the action faster; the model is told.",
    true,
  ),
  ACTION_INTERRUPTED: entry(
    "The process ended while an action with side effects ran; whether it took effect is unknown.",
    "Check the outside system; the model is told.",
  ),
  ACTION_AWAITS_RESULT: entry(
    "An action runs elsewhere, such as in a browser, and its result has not come.",
    "Give the result with `provideResult`, or over HTTP as `output` of `POST /approvals/{id}`.",
  ),
  STATE_INVALID: entry(
    "A state document did not fit the definition's schema.",
    "Fix the patch or the migration of the state.",
  ),
  APPROVAL_NOT_FOUND: entry("There is no such approval.", "Check the tenant and the id."),
  APPROVAL_DECIDED: entry("The approval was decided before, the other way.", "Nothing: the first decision stands."),
  APPROVAL_EXPIRED: entry("The approval expired before it was decided.", "Ask again."),
  APPROVAL_TOKEN_INVALID: entry(
    "An approval token is forged, expired or for another approval.",
    "Ask for a new token.",
  ),
  STORE_LOCKED: entry(
    "Another process has this store open and the store allows one.",
    "Close the other process, or use a store for several.",
  ),
  STORE_BUSY: entry(
    "Another process kept the store's database locked for longer than `busyMs`; nothing was written.",
    "Repeat the call; find what holds the lock, or raise `busyMs`.",
    true,
  ),
  STORE_FAILED: entry("The store's database refused or broke off a call.", "See the cause.", true),
  SCHEMA_NOT_APPLIED: entry(
    "The store's tables are missing or older than this version needs.",
    "Apply the migrations first.",
  ),
  SCHEMA_TOO_NEW: entry(
    "A row or a store was written by a newer version than this one can read.",
    "Upgrade this process.",
  ),
  IMPORT_CONFLICT: entry(
    "An import met rows that it did not write.",
    "Import into an empty address, or remove the rows.",
  ),
  LOCAL_STORE_LEFT: entry(
    "A local store holds conversations that the shared store lacks.",
    "Move them with `hebra to-shared`, or set `store.ignoreLocal`.",
  ),
  DIGEST_MISMATCH: entry("Counts or digests differ after a copy.", "Compare both sides; do not switch over."),

  // @hebra/flags
  INCIDENT_NOT_FOUND: entry("There is no incident with this id.", "List the incidents and take an id from there."),
  FLAG_NOT_FOUND: entry("There is no flag with this key.", "Check the key; the coded default was served."),
  FLAG_INVALID: entry(
    "A flag document is not valid.",
    "Correct the path that the message names; the last good document stays in force.",
  ),
  PARSE_ERROR: entry(
    "A flag document could not be parsed.",
    "Correct its syntax; the last good document stays in force.",
  ),
  PROVIDER_NOT_READY: entry(
    "A flag provider has no data yet.",
    "Wait for `ready()`; the coded default was served.",
    true,
  ),
  TARGETING_KEY_MISSING: entry("A decision needs a unit and the context has none.", "Pass the session."),
  TYPE_MISMATCH: entry("A flag has another type than was asked for.", "Ask for the type that the flag has."),
  GENERAL: entry("An evaluation failed.", "See the message; the default was served."),
  HANDOVER_REQUIRED: entry(
    "A session with legacy history cannot be routed to the new engine without a way back.",
    "Pass `handover`, or say `withoutHandover`.",
  ),
  OUTCOME_UNKNOWN: entry(
    "A turn was served whose outcome the router cannot judge.",
    "Return the engine's turn, or pass `outcome` to `route()`. Until then guards that need it have no data.",
  ),
  MEASURE_INVALID: entry(
    "A measured value is not a number of zero or more, and was not counted.",
    "Report a finite number, or leave the value out.",
  ),
  POLICY_REFUSED: entry(
    "The server's policy refuses a plan or a command.",
    "Make the plan as strict as the policy, wait for the end of a freeze, or have the policy changed.",
  ),
  ROLLOUT_CONFLICT: entry("A rollout was moved by somebody else.", "Read it again and repeat.", true),
  EVIDENCE_MISSING: entry(
    "An edge of the rollout lacks the evidence that unlocks it.",
    "Record the evidence that the message lists.",
  ),
  EVIDENCE_TAMPERED: entry(
    "The chain of evidence is broken.",
    "Stop and investigate; restore the evidence from a copy.",
  ),
  REVISION_CONFLICT: entry("A document was changed since it was read.", "Read it again and repeat.", true),
  UNAUTHENTICATED: entry("A request has no valid token.", "Send a bearer token."),
  FORBIDDEN: entry(
    "The credentials of a request do not allow what it asks for.",
    "Leave out the field that the message names, or use credentials with the right that it names.",
  ),

  // @hebra/migrate
  MAPPING_INVALID: entry(
    "A mapping names entities or fields that do not exist, or contradicts itself.",
    "Correct the mapping where the message says.",
  ),
  SOURCE_INVALID: entry("A source cannot be read.", "Correct the file and line that the message names."),
  PLAN_MISSING: entry("There is no pinned plan.", "Run `plan` first."),
  PLAN_EMPTY: entry(
    "A plan would move nothing.",
    "Repair the fields that the message names, or pass a mapping that fits the source.",
  ),
  PLAN_DRIFT: entry("The source, mapping or target moved since the plan was pinned.", "Plan again and compare."),
  REJECTS_OVER_BUDGET: entry(
    "More rows were rejected than the budget allows.",
    "Read the rejects file, repair the source or raise the budget.",
  ),
  VERIFY_MISMATCH: entry(
    "The target differs from what the mapping and the source call for.",
    "Read the report; it names the first differing field.",
  ),
  ROW_INVALID: entry(
    "A source row lacks a field or holds a value that the mapping cannot take.",
    "Repair the row; it is in the rejects file.",
  ),
  ROW_ORPHANED: entry(
    "A source row points at a row that does not exist.",
    "Repair the link; the row is in the rejects file.",
  ),
  ROW_DUPLICATE: entry(
    "Two source rows share an id or a unique key.",
    "Remove one; the later row is in the rejects file.",
  ),
} as const satisfies Record<string, ErrorCodeEntry>;

/** A stable error code; see `docs/errors.md` for the meaning of each. */
export type ErrorCode = keyof typeof errorCodes;
