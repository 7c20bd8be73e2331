import type { Item, Message, Part, Snapshot, ThreadEvent } from "./types.ts";

/** What the reducer keeps beside the snapshot: nothing of it is shown. */
export interface ReducerState {
  readonly snapshot: Snapshot;
  /** The answer of each turn, by the turn's id. */
  readonly answers: Readonly<Record<string, string>>;
  /** Places of the parts of the open step: they go when it is reset. */
  readonly open: readonly number[];
}

/** What changes a conversation. */
export type Change =
  | { type: "loaded"; items: readonly Item[] }
  | { type: "sent"; id: string; parts: Part[] }
  | { type: "refused"; id: string; error: { code: string; message: string } }
  | { type: "status"; status: Snapshot["status"] }
  | { type: "event"; event: ThreadEvent };

/** A conversation of which nothing is known. */
export const emptyState: ReducerState = {
  snapshot: { messages: [], status: "idle", approvals: [] },
  answers: {},
  open: [],
};

const doneAs: Record<string, Message["status"]> = { failed: "failed", cancelled: "cancelled", running: "streaming" };
const statusOf = (status: string): Message["status"] => doneAs[status] ?? "done";

/**
 * The next state of a conversation. Pure: the same changes give the same state, and what does not change stays the same
 * object.
 */
export function reduce(state: ReducerState, change: Change): ReducerState {
  switch (change.type) {
    case "loaded":
      return change.items.reduce(load, state);
    case "sent":
      return find(state, change.id) === undefined
        ? withMessage(state, { id: change.id, role: "user", parts: change.parts, status: "sending" })
        : state;
    case "refused":
      return withSnapshot(
        update(state, change.id, (message) => ({ ...message, status: "failed" })),
        {
          error: change.error,
        },
      );
    case "status":
      return state.snapshot.status === change.status ? state : withSnapshot(state, { status: change.status });
    case "event":
      return event(state, change.event);
  }
}

const find = ({ snapshot }: ReducerState, id: string | undefined) =>
  snapshot.messages.find((message) => message.id === id);

const withSnapshot = (state: ReducerState, change: Partial<Snapshot>): ReducerState => ({
  ...state,
  snapshot: { ...state.snapshot, ...change },
});

/** Messages stand in the order of the server; those that it has not taken stand last. */
function withMessage(state: ReducerState, message: Message): ReducerState {
  const others = state.snapshot.messages.filter(({ id }) => id !== message.id);
  const messages = [...others, message].sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
  return withSnapshot(state, { messages });
}

function update(state: ReducerState, id: string | undefined, change: (message: Message) => Message): ReducerState {
  const messages = state.snapshot.messages.map((message) => (message.id === id ? change(message) : message));
  return withSnapshot(state, { messages });
}

function load(state: ReducerState, { id, seq, kind, role, status, executionId, parts, metadata }: Item): ReducerState {
  if (kind !== "trigger" && kind !== "reaction") return state;
  const own = metadata["messageId"];
  const shown = kind === "trigger" && typeof own === "string" ? own : id;
  const message: Message = {
    id: shown,
    role,
    parts,
    status: statusOf(status),
    seq,
    ...(executionId === null ? {} : { executionId }),
  };
  const next = withMessage(state, message);
  return kind === "reaction" && executionId !== null
    ? { ...next, answers: { ...next.answers, [executionId]: id } }
    : next;
}

function event(state: ReducerState, { type, seq, executionId, partIndex, data }: ThreadEvent): ReducerState {
  const turn = executionId ?? "";
  const answer = state.answers[turn];
  const set = (index: number, part: Part) =>
    update(state, answer, (message) => ({ ...message, parts: message.parts.with(index, part) }));
  switch (type) {
    case "execution-started":
      return begin(state, turn, seq ?? 0, data);
    case "execution-resumed":
      return running(state, answer);
    case "step-started":
      return { ...state, open: [] };
    case "part-started":
      return {
        ...grow(state, answer, partIndex!, {
          kind: String(data["kind"]),
          ...((data["part"] as Part | undefined) ?? { text: "" }),
        }),
        open: [...state.open, partIndex!],
      };
    case "part-delta": {
      const part = find(state, answer)?.parts[partIndex!];
      return part === undefined || !state.open.includes(partIndex!)
        ? state
        : set(partIndex!, { ...part, text: (part.text ?? "") + String(data["delta"]) });
    }
    case "part-created":
      return {
        ...grow(state, answer, Number(data["index"]), data["part"] as Part),
        open: state.open.filter((index) => index !== data["index"]),
      };
    case "step-reset": {
      const first = Math.min(...state.open);
      const kept = update(state, answer, (message) => ({ ...message, parts: message.parts.slice(0, first) }));
      return { ...(state.open.length === 0 ? state : kept), open: [] };
    }
    case "call-changed":
      return update(state, answer, (message) => ({
        ...message,
        parts: message.parts.map((part) => settled(part, data)),
      }));
    case "execution-waiting":
      return withSnapshot(
        update(state, answer, (message) => ({ ...message, status: "waiting" })),
        {
          status: "waiting",
          approvals: (data["approvals"] as { approvalId: string; reason: string | null }[]).map(
            ({ approvalId: id, reason }) => ({ id, reason }),
          ),
        },
      );
    case "execution-ended": {
      const { error } = data as { error?: { code: string; message: string } | null };
      return withSnapshot(
        update(state, answer, (message) => ({ ...message, status: statusOf(String(data["status"])) })),
        { status: "idle", approvals: [], ...(error == null ? {} : { error }) },
      );
    }
    default:
      return state;
  }
}

/** The message is taken, and its answer begins behind it. */
function begin(state: ReducerState, turn: string, seq: number, data: ThreadEvent["data"]): ReducerState {
  const id = String(data["reactionItemId"]);
  const taken = update(state, String(data["triggerId"]), (message) => ({
    ...message,
    seq: message.seq ?? seq - 1,
    status: "done",
    executionId: turn,
  }));
  const item = { id, seq, kind: "reaction", role: "assistant", status: "running", executionId: turn } as const;
  return running(find(state, id) === undefined ? load(taken, { ...item, parts: [], metadata: {} }) : taken, id);
}

const running = (state: ReducerState, answer: string | undefined): ReducerState =>
  withSnapshot(
    update(state, answer, (message) => ({ ...message, status: "streaming" })),
    { status: "running", approvals: [] },
  );

/** Puts a part in its place. Whoever came in the middle may lack the ones before it until they are recorded. */
function grow(state: ReducerState, answer: string | undefined, index: number, part: Part): ReducerState {
  return update(state, answer, (message) => {
    const parts = [...message.parts];
    while (parts.length < index) parts.push({ kind: "text", text: "" });
    parts[index] = part;
    return { ...message, parts };
  });
}

function settled(part: Part, { callId, status, output, error }: ThreadEvent["data"]): Part {
  if (part.kind !== "action" || part["callId"] !== callId) return part;
  if (status === "succeeded") return { ...part, status, output };
  if (status !== "failed" && status !== "denied" && status !== "expired" && status !== "cancelled") return part;
  return { ...part, status: "failed", error: (error as { message?: string } | null)?.message ?? status };
}
