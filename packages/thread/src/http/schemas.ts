import * as z from "zod";

/** Bounds of what a request says in its query. Larger pages and waits are cut to the handler's limits. */
const whole = z.string().regex(/^\d{1,15}$/, "must be a whole number");
const number = whole.pipe(z.coerce.number<string>().int().min(0));
const positive = whole.pipe(z.coerce.number<string>().int().min(1));
const id = z.string().min(1).max(512);

export const noQuery = z.strictObject({});

/** Names a fork of the conversation. */
const line = { contextId: id.optional() };

export const listQuery = z.strictObject({
  limit: positive.optional(),
  cursor: id.optional(),
  status: z.enum(["open", "running", "waiting", "closed"]).optional(),
  definition: id.optional(),
  q: id.optional(),
});
export const approvalsQuery = z.strictObject({ limit: positive.optional(), cursor: id.optional() });
export const threadQuery = z.strictObject(line);
export const itemsQuery = z.strictObject({
  ...line,
  before: number.optional(),
  after: number.optional(),
  limit: positive.optional(),
});
export const eventsQuery = z.strictObject({ ...line, after: id.optional(), executionId: id.optional() });
export const chatStreamQuery = z.strictObject({ executionId: id.optional() });
export const chatQuery = z.strictObject({ before: number.optional(), limit: positive.optional() });
export const messageQuery = z.strictObject({ wait: number.optional() });

const text = z.string();
/** What a client may say. Reasoning and results of actions are the engine's to write. */
const part = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("text"), text }),
  z.strictObject({ kind: z.literal("file"), mediaType: text.min(1), url: text.min(1), filename: text.optional() }),
  z.strictObject({ kind: z.literal("data"), name: text.min(1), data: z.json() }),
]);

export const messageBody = z.strictObject({
  id,
  text: text.min(1).optional(),
  parts: z.array(part).optional(),
  thread: id.optional(),
  whenBusy: z.enum(["queue", "reject", "interrupt", "steer", "merge"]).optional(),
  metadata: z.record(text, z.json()).optional(),
  ...line,
});
export const cancelBody = z.strictObject({ executionId: id.optional(), reason: text.max(2_000).optional(), ...line });
export const forkBody = z.strictObject({ atItemId: id, id: id.optional(), ...line });
export const decisionBody = z.strictObject({
  decision: z.enum(["approved", "denied"]),
  input: z.json().optional(),
  output: z.json().optional(),
  comment: text.max(20_000).optional(),
});

const time = z.number().meta({ description: "Milliseconds since the epoch." });
const seq = z.number().int();
const anyObject = z.record(text, z.unknown());

export const approvalAnswer = z.object({
  id: text,
  threadKey: text,
  contextId: text,
  executionId: text,
  status: z.enum(["pending", "approved", "denied", "expired", "cancelled"]),
  asks: z.enum(["consent", "outcome"]).meta({
    description: "`consent`: may the call run? `outcome`: a crash cut the call off; did it take effect?",
  }),
  call: z.object({ callId: text, name: text, input: z.unknown(), effect: text }).nullable(),
  reason: text.nullable(),
  expiresAt: time.nullable(),
  decidedBy: text.nullable(),
  comment: text.nullable(),
  createdAt: time,
});
export const approvalsAnswer = z.object({ approvals: z.array(approvalAnswer), cursor: text.nullable() });

export const acceptedAnswer = z.object({
  id: text,
  threadKey: text,
  threadId: text,
  contextId: text,
  executionId: text,
  triggerItemId: text,
  reactionItemId: text,
  duplicate: z.boolean(),
});
export const resultAnswer = acceptedAnswer.extend({
  result: z.object({
    status: z.enum(["waiting", "completed", "failed", "cancelled", "incomplete"]),
    reason: text.nullable(),
    text,
    parts: z.array(anyObject),
    output: z.unknown(),
    usage: anyObject,
    error: z.object({ code: text, message: text, retryable: z.boolean() }).nullable(),
    approvals: z.array(approvalAnswer),
  }),
});

const listed = z.object({
  key: text,
  id: text,
  name: text.nullable(),
  status: z.enum(["open", "running", "waiting", "closed"]),
  createdAt: time,
  updatedAt: time,
});
export const threadsAnswer = z.object({ threads: z.array(listed), cursor: text.nullable() });

const turn = z.object({
  executionId: text,
  triggerId: text,
  definition: text,
  status: text,
  usage: anyObject,
  createdAt: time,
  startedAt: time.nullable(),
});
export const threadAnswer = listed.extend({
  contextId: text,
  seq,
  active: turn.nullable(),
  queued: z.array(turn),
  approvals: z.array(approvalAnswer),
  state: z.unknown().optional().meta({ description: "For callers with the right `operate`." }),
});

export const itemsAnswer = z.object({
  items: z.array(
    z.object({
      id: text,
      seq,
      kind: z.enum(["trigger", "reaction", "summary", "note"]),
      role: text,
      status: text,
      executionId: text.nullable(),
      parts: z.array(anyObject),
      metadata: anyObject,
      createdAt: time,
    }),
  ),
});
export const chatAnswer = z.object({
  messages: z.array(z.object({ id: text, role: text, parts: z.array(anyObject), metadata: anyObject })).meta({
    description: "Messages of the AI SDK. The answer of a turn that runs is left out: the stream brings it.",
  }),
  before: seq.nullable().meta({ description: "Names the page before this one; null when there is none." }),
});
export const cancelAnswer = z.object({ executionIds: z.array(text) });
export const forkAnswer = z.object({ threadKey: text, contextId: text, parentContextId: text.nullable(), seq });
export const deletedAnswer = z.object({
  key: text,
  threadId: text,
  contextIds: z.array(text),
  counts: z.record(text, z.number()),
});
export const problemAnswer = z.object({
  type: text,
  title: text,
  status: z.number().int(),
  code: text,
  detail: text,
  retryable: z.boolean(),
});
