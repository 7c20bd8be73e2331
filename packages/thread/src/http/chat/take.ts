import { deriveId, digest, HebraError } from "@hebra/core";
import type { TurnHandle } from "../../engine/handle.ts";
import { REPLACES_FROM, replacesFrom } from "../../engine/prompt/replaced.ts";
import type { Trigger } from "../../engine/trigger.ts";
import { isOutcomeQuestion } from "../../engine/turn/outcome-question.ts";
import type { ItemRow } from "../../store/rows.ts";
import type { ExecutionGraph, Snapshot } from "../../store/store.ts";
import { requireRight } from "../caller.ts";
import { senderOf } from "../sender.ts";
import type { Call } from "../route.ts";
import { answersOf, triggerParts, type ChatBody } from "./incoming.ts";
import { itemOf, itemOrRefusal } from "./find-turn.ts";
import { MESSAGE_ID, shownId } from "./message-ids.ts";

/** A `POST /chat` with its key checked. */
export interface ChatCall extends Call<unknown, ChatBody> {
  key: string;
}

/** A turn to show, and the calls up to which the client knows it. */
export interface Taken {
  turn: TurnHandle;
  known?: ReadonlySet<string>;
}

/** Begins or continues the turn that `useChat` asks for. */
export async function take(call: ChatCall): Promise<Taken> {
  const { body, host, caller, key } = call;
  const last = body.messages.at(-1)!;
  const snapshot = await host.store.load(caller.tenant, { key });
  if (last.role === "assistant" && body.trigger === "submit-message") return answer(call, snapshot);
  if (last.role !== "user")
    throw new HebraError("INVALID_OPTIONS", "The last message is neither a user's nor answered.");
  if (last.id === undefined) throw new HebraError("INVALID_OPTIONS", "The last message has no id.");
  if (body.trigger === "regenerate-message") return regenerate(call, snapshot, last.id);
  const parts = triggerParts(last, host.limits.parts);
  const edited = body.messageId === last.id && snapshot !== undefined && (await itemOf(call, snapshot, last.id));
  if (!edited) return { turn: await react(call, { id: last.id, parts, metadata: { [MESSAGE_ID]: last.id } }) };
  if (digest(parts) === digest(edited.content) && edited.executionId !== null)
    return { turn: await host.engine.follow(edited.executionId, { tenant: caller.tenant }) };
  return replace(call, snapshot, edited, deriveId("edited", edited.id, digest(parts)), parts);
}

async function regenerate(call: ChatCall, snapshot: Snapshot | undefined, messageId: string): Promise<Taken> {
  if (snapshot === undefined) throw new HebraError("THREAD_NOT_FOUND", "There is no conversation with this id.");
  const item = await itemOrRefusal(call, snapshot, messageId);
  return replace(call, snapshot, item, deriveId("regenerated", item.id), item.content as NonNullable<Trigger["parts"]>);
}

/** Runs a turn in the place of an older one and of all that came after it. */
async function replace(
  call: ChatCall,
  { active, queued }: Snapshot,
  item: ItemRow,
  id: string,
  parts: NonNullable<Trigger["parts"]>,
): Promise<Taken> {
  const { host, caller } = call;
  for (const { execution } of [...(active === undefined ? [] : [active]), ...queued])
    await host.engine.cancel(execution.id, { tenant: caller.tenant, reason: "replaced", ...senderOf(caller).by });
  const metadata = {
    [MESSAGE_ID]: shownId(item),
    // What the replaced turn replaced stays replaced.
    ...(item.seq === null ? {} : { [REPLACES_FROM]: replacesFrom(item) ?? item.seq }),
  };
  return { turn: await react(call, { id, parts, metadata }) };
}

function react(call: ChatCall, trigger: Pick<Trigger, "id" | "parts" | "metadata">): Promise<TurnHandle> {
  const { host, caller, body, key } = call;
  const { thread = host.threads[0]! } = body;
  if (!host.threads.includes(thread))
    throw new HebraError("INVALID_OPTIONS", "The message is refused: `thread` names no definition that answers here.");
  const metadata = { ...trigger.metadata, ...senderOf(caller).metadata };
  const address = { tenant: caller.tenant, key };
  return host.engine.react(thread, { ...trigger, channel: "http", metadata }, { address });
}

/** Takes the decisions and results in an assistant's message, and goes on with its turn. */
async function answer(call: ChatCall, snapshot: Snapshot | undefined): Promise<Taken> {
  const { body, host, caller } = call;
  if (snapshot === undefined) throw new HebraError("THREAD_NOT_FOUND", "There is no conversation with this id.");
  const last = body.messages.at(-1)!;
  const { active } = snapshot;
  const executionId =
    active?.execution.reactionItemId === last.id
      ? active?.execution.id
      : (await itemOrRefusal(call, snapshot, last.id)).executionId;
  const graph = executionId == null ? undefined : await host.store.execution(caller.tenant, executionId);
  if (graph === undefined) throw new HebraError("EXECUTION_NOT_FOUND", "The message belongs to no turn.");
  const answers = answersOf(last);
  await decide(call, graph, answers.decisions);
  await provide(call, graph, answers.outputs);
  const turn = await host.engine.follow(graph.execution.id, { tenant: caller.tenant });
  return { turn, known: answers.callIds };
}

async function decide(
  { host, caller }: ChatCall,
  { approvals }: ExecutionGraph,
  decisions: ReturnType<typeof answersOf>["decisions"],
): Promise<void> {
  for (const { approvalId, approved, comment } of decisions) {
    const asked = approvals.find(({ id, status }) => id === approvalId && status === "pending");
    // A message carries its older decisions too.
    if (asked === undefined || isOutcomeQuestion(asked)) continue;
    requireRight(caller, "decide");
    await host.engine[approved ? "approve" : "deny"](approvalId, {
      tenant: caller.tenant,
      ...senderOf(caller).by,
      ...(comment === undefined ? {} : { comment }),
    });
  }
}

async function provide(
  { host, caller }: ChatCall,
  { approvals, calls }: ExecutionGraph,
  outputs: ReturnType<typeof answersOf>["outputs"],
): Promise<void> {
  for (const { callId, ...given } of outputs) {
    const row = calls.find((one) => one.callId === callId);
    const asked = approvals.find((one) => one.callRowId === row?.id && one.status === "pending");
    if (row === undefined || asked === undefined || !isOutcomeQuestion(asked)) continue;
    // What became of a call that a crash cut off is not the browser's to say.
    requireRight(caller, row.error?.code === "ACTION_AWAITS_RESULT" ? "write" : "decide");
    const at = { tenant: caller.tenant, ...senderOf(caller).by };
    if ("output" in given) await host.engine.provideResult(row.id, given.output, at);
    else await host.engine.deny(asked.id, { ...at, comment: given.errorText });
  }
}
