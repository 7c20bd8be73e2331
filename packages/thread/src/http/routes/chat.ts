import { errorMessage } from "@hebra/core";
import type { TurnHandle } from "../../engine/handle.ts";
import { withoutReplaced } from "../../engine/prompt/replaced.ts";
import type { Snapshot } from "../../store/store.ts";
import { requireKey, requireRight } from "../caller.ts";
import { chatBody } from "../chat/incoming.ts";
import { createChunkMapper } from "../chat/chunks.ts";
import type { UiChunk } from "../chat/chunk.ts";
import { take, type Taken } from "../chat/take.ts";
import { uiMessages } from "../chat/ui-messages.ts";
import { textStream } from "../event-stream.ts";
import { executionIn, keyOf, threadAt } from "../lookup.ts";
import { json } from "../problem.ts";
import { route, type RawCall } from "../route.ts";
import { chatAnswer, chatQuery, chatStreamQuery, noQuery } from "../schemas.ts";
import { senderOf } from "../sender.ts";
import { takeSlot } from "./messages.ts";

/** A turn that ended so short a time ago is streamed to a page that read its messages before. */
const RECENT_MS = 10_000;
const USUAL_PAGE = 50;
const UI_STREAM = { "x-vercel-ai-ui-message-stream": "v1" };

export const postChat = route({
  method: "POST",
  path: "/chat",
  operationId: "postChat",
  summary:
    "Takes what `useChat` of the AI SDK sends: a message, a regenerated or edited one, decisions, results of client-side tools. Its `id` is the conversation's key. Only the last message is read. Needs `read`; decisions need `decide`.",
  right: "write",
  query: noQuery,
  body: chatBody,
  limit: "chatBytes",
  answers: { 200: { description: "The AI SDK's UI message stream.", stream: true } },
  async serve(call) {
    const { caller, body } = call;
    requireRight(caller, "read");
    requireKey(caller, body.id);
    const release = takeSlot(call);
    try {
      return chatStream(call, await take({ ...call, key: body.id }), release, call.host.onChatLeft === "cancel");
    } catch (error) {
      release();
      throw error;
    }
  },
});

export const getChat = route({
  method: "GET",
  path: "/chat/{key}",
  operationId: "getChat",
  summary: "The newest messages of a conversation as `useChat` takes them, oldest first, or those before `before`.",
  right: "read",
  query: chatQuery,
  answers: { 200: { description: "A page.", schema: chatAnswer } },
  async serve(call) {
    const { host, caller, query } = call;
    const limit = Math.min(query.limit ?? USUAL_PAGE, host.limits.pageRows);
    const snapshot = await host.store.load(caller.tenant, { key: keyOf(call) });
    if (snapshot === undefined) return json(200, { messages: [], before: null });
    const page = { limit, before: query.before };
    const entries = await host.store.history(caller.tenant, snapshot.context.id, page);
    return json(200, {
      messages: uiMessages(withoutReplaced(entries), snapshot.active),
      before: entries.length < limit ? null : entries[0]!.item.seq,
    });
  },
});

export const getChatStream = route({
  method: "GET",
  path: "/chat/{key}/stream",
  operationId: "getChatStream",
  summary:
    "Resumes a conversation for `useChat`: all of the turn that runs, or that ended within the last ten seconds, or of the one that is named.",
  right: "read",
  query: chatStreamQuery,
  answers: {
    200: { description: "The AI SDK's UI message stream.", stream: true },
    204: { description: "There is no turn to follow." },
  },
  async serve(call) {
    const { host, caller, query } = call;
    const snapshot = await host.store.load(caller.tenant, { key: keyOf(call) });
    const executionId =
      query.executionId === undefined
        ? snapshot && (await turnToResume(call, snapshot))
        : (await executionIn(call, await threadAt(call), query.executionId)).execution.id;
    if (executionId === undefined) return new Response(null, { status: 204 });
    const release = takeSlot(call);
    try {
      const turn = await host.engine.follow(executionId, { tenant: caller.tenant });
      return chatStream(call, { turn }, release, false);
    } catch (error) {
      release();
      throw error;
    }
  },
});

async function turnToResume({ host, caller }: RawCall, snapshot: Snapshot): Promise<string | undefined> {
  const { active, queued, context } = snapshot;
  const isRecent = (at: number) => at >= host.clock.now() - RECENT_MS;
  if (active !== undefined)
    return active.execution.status !== "waiting" || isRecent(active.execution.updatedAt)
      ? active.execution.id
      : undefined;
  if (queued[0] !== undefined) return queued[0].execution.id;
  const [newest] = await host.store.history(caller.tenant, context.id, { limit: 1 });
  return newest?.item.kind === "reaction" && isRecent(newest.item.updatedAt)
    ? (newest.item.executionId ?? undefined)
    : undefined;
}

function chatStream(call: RawCall, taken: Taken, release: () => void, cancels: boolean): Response {
  const { host, caller } = call;
  return textStream(chunksOf(taken), {
    clock: host.clock,
    heartbeatMs: host.heartbeatMs,
    headers: UI_STREAM,
    failed: () => sent({ type: "error", errorText: "The stream was closed. Resume it." }) + DONE,
    onEnd(left) {
      release();
      if (left && cancels) cancelLeft(call, taken.turn);
    },
  });

  function cancelLeft({ host: { engine, logger } }: RawCall, { executionId }: TurnHandle): void {
    engine
      .cancel(executionId, { tenant: caller.tenant, reason: "stopped", ...senderOf(caller).by })
      .catch((error: unknown) =>
        logger.error("A turn whose client left was not cancelled.", { executionId, error: errorMessage(error) }),
      );
  }
}

const DONE = "data: [DONE]\n\n";
const sent = (chunk: UiChunk): string => `data: ${JSON.stringify(chunk)}\n\n`;

async function* chunksOf({ turn, known }: Taken): AsyncGenerator<string, void, void> {
  const { reactionItemId: messageId, executionId, contextId } = turn;
  const mapper = createChunkMapper({ known });
  yield sent({ type: "start", messageId, messageMetadata: { executionId, contextId } });
  for await (const event of turn.stream) for (const chunk of mapper.accept(event)) yield sent(chunk);
  for (const chunk of mapper.end()) yield sent(chunk);
  yield DONE;
}
