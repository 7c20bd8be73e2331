import { HebraError, type JsonObject } from "@hebra/core";
import type { TurnHandle } from "../../engine/handle.ts";
import type { TurnResult } from "../../engine/rows/turn-result.ts";
import type { Trigger } from "../../engine/trigger.ts";
import type * as z from "zod";
import { REPLACES_FROM } from "../../engine/prompt/replaced.ts";
import { requireRight } from "../caller.ts";
import { MESSAGE_ID } from "../chat/message-ids.ts";
import { keyOf, threadAt } from "../lookup.ts";
import { json } from "../problem.ts";
import { route, type Call } from "../route.ts";
import { acceptedAnswer, messageBody, messageQuery, resultAnswer } from "../schemas.ts";
import { turnEvents } from "../turn-events.ts";
import { acceptedView, approvalView, resultView } from "../views.ts";

type MessageCall = Call<z.output<typeof messageQuery>, z.output<typeof messageBody>>;

const wantsStream = (request: Request): boolean =>
  (request.headers.get("accept") ?? "").toLowerCase().includes("text/event-stream");

export const postMessage = route({
  method: "POST",
  path: "/threads/{key}/messages",
  operationId: "postMessage",
  summary:
    "Takes a message. The same id again is the same message. `wait` answers with the result, if the turn ends or waits in time.",
  right: "write",
  query: messageQuery,
  body: messageBody,
  answers: {
    200: { description: "The turn has ended, or waits for the approvals.", schema: resultAnswer, stream: true },
    202: { description: "The message is stored; the turn runs.", schema: acceptedAnswer },
  },
  async serve(call) {
    const { query, body, request } = call;
    const streams = wantsStream(request);
    const waits = query.wait !== undefined && query.wait > 0;
    if (streams || waits) requireRight(call.caller, "read");
    const release = streams ? takeSlot(call) : () => {};
    try {
      const turn = await react(call);
      const accepted = acceptedView(body.id, keyOf(call), turn);
      if (streams) return turnEvents(call, turn, { accepted, onEnd: release });
      const result = waits ? await resultWithin(call, turn, query.wait!) : undefined;
      if (result === undefined) return json(202, accepted);
      return json(200, { ...accepted, result: resultView(result, await approvalsOf(call, result)) });
    } catch (error) {
      release();
      throw error;
    }
  },
});

/** @throws HebraError `BACKLOG_FULL` */
export function takeSlot({ host, caller }: Pick<MessageCall, "host" | "caller">): () => void {
  return host.slots.take(JSON.stringify([caller.tenant, caller.user ?? null]));
}

async function react(call: MessageCall): Promise<TurnHandle> {
  const { host, body, caller } = call;
  const { contextId, thread = host.threads[0]!, whenBusy } = body;
  if (!host.threads.includes(thread))
    throw new HebraError("INVALID_OPTIONS", "The message is refused: `thread` names no definition that answers here.");
  if (contextId !== undefined) await threadAt(call, contextId);
  const { tenant } = caller;
  return host.engine.react(thread, triggerOf(call), {
    address: contextId === undefined ? { tenant, key: keyOf(call) } : { tenant, contextId },
    ...(whenBusy === undefined ? {} : { whenBusy }),
  });
}

function triggerOf({ body, caller, host }: MessageCall): Trigger {
  const { id, text, parts, metadata = {} } = body;
  const count = parts?.length ?? 0;
  if (text === undefined && count === 0)
    throw new HebraError("INVALID_OPTIONS", "The message is refused: it has neither `text` nor `parts`.");
  if (count > host.limits.parts)
    throw new HebraError(
      "INVALID_OPTIONS",
      `The message is refused: it has ${count} parts; at most ${host.limits.parts} are accepted.`,
    );
  for (const name of ["sender", REPLACES_FROM, MESSAGE_ID])
    if (Object.hasOwn(metadata, name))
      throw new HebraError("FORBIDDEN", `\`metadata.${name}\` is set by the server. Leave it out.`);
  return {
    id,
    ...(text === undefined ? {} : { text }),
    ...(parts === undefined ? {} : { parts: parts as NonNullable<Trigger["parts"]> }),
    channel: "http",
    metadata: {
      ...(metadata as JsonObject),
      [MESSAGE_ID]: id,
      ...(caller.user === undefined ? {} : { sender: { id: caller.user } }),
    },
  };
}

/** The result, if the turn ends or waits in time; the message is stored in any case. */
function resultWithin(
  { host, request }: Pick<MessageCall, "host" | "request">,
  turn: TurnHandle,
  ms: number,
): Promise<TurnResult | undefined> {
  return new Promise((resolve) => {
    const finish = (result?: TurnResult) => {
      stop();
      request.signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    const onAbort = () => finish();
    const stop = host.clock.after(Math.min(ms, host.limits.waitMs), () => finish(), { keepAlive: true });
    request.signal.addEventListener("abort", onAbort, { once: true });
    // A process that cannot tell how the turn ends says that it was accepted: the turn goes on elsewhere.
    turn.result.then(finish, () => finish());
  });
}

async function approvalsOf(call: MessageCall, { executionId, approvals }: TurnResult) {
  if (approvals.length === 0) return [];
  const graph = await call.host.store.execution(call.caller.tenant, executionId);
  return approvals.map((approval) => approvalView(keyOf(call), approval, graph?.calls ?? []));
}
