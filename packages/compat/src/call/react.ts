import { HebraError } from "@hebra/core";
import type { TurnHandle, TurnResult } from "@hebra/thread";
import { createChunkWriter, type ChunkWriter } from "../stream/chunk-writer.ts";
import { toStoredContext, toTrigger } from "./items.ts";
import { addressOf, getThreadRuntime, startedOf } from "./runtime.ts";
import { hooksOf } from "./hooks.ts";
import { executionIdOf } from "./ids.ts";
import type {
  AnyThread,
  LegacyReactParams,
  Loose,
  ThreadEnvironment,
  ThreadItem,
  ThreadReactParams,
  ThreadReactResult,
} from "./types.ts";

/**
 * Runs a turn of an old thread to its end, in the manner of the old engine: what it streams, what it returns and what
 * it throws.
 */
export async function reactTo(
  thread: AnyThread,
  first: ThreadItem | LegacyReactParams<Loose>,
  second: ThreadReactParams<Loose> | undefined,
): Promise<ThreadReactResult> {
  const { env, trigger, identifier, options } = normalise(first, second);
  const runtime = await getThreadRuntime(env);
  const { tenant, threadStore: store, parts } = runtime;
  const { engine, scopes, closed } = startedOf(store, parts, thread);
  const { ref, contextId } = await addressOf(store, tenant, identifier);
  const writable = options.silent === true ? undefined : (options.writable ?? parts.writable?.({ contextId }));
  const writer =
    writable === undefined
      ? undefined
      : createChunkWriter(writable, { ...options, announce: options.writable === undefined ? "new" : "always" });
  const executionId = executionIdOf(tenant, contextId, trigger.id);
  const takeBack = scopes.announce(executionId, { env, trigger, options, write: writer?.write });
  try {
    const handle = await engine.react(hooksOf(thread).definitionName, toTrigger(trigger), {
      address: { tenant, ...ref },
    });
    await toEnd(handle, writer, closed);
    const result = await (await engine.follow(handle.executionId, { tenant })).result;
    if (result.status === "failed" || result.status === "cancelled")
      throw (scopes.get(handle.executionId)?.error ?? failure(result)) as Error;
    const { thread: row, context } = (await store.load(tenant, { contextId: handle.contextId }))!;
    return {
      contextId: handle.contextId,
      context: toStoredContext(row, context),
      triggerEventId: trigger.id,
      reactionEventId: handle.reactionItemId,
      executionId: handle.executionId,
    };
  } finally {
    takeBack();
    await writer?.close();
  }
}

/** Follows a turn to its end, also while it waits for people, and tells the caller's stream of it. */
async function toEnd(handle: TurnHandle, writer: ChunkWriter | undefined, closed: AbortSignal): Promise<void> {
  const stream = handle.events({ until: "ended" })[Symbol.asyncIterator]();
  let stop = () => {};
  const closing = new Promise<never>((_, reject) => (stop = () => reject(closed.reason as Error)));
  closing.catch(() => undefined);
  // The turn goes on elsewhere when this process loses it; when the engine is closed there is nobody left to tell.
  closed.addEventListener("abort", stop, { once: true });
  if (closed.aborted) stop();
  try {
    for (;;) {
      const next = await Promise.race([stream.next(), closing]);
      if (next.done === true) return;
      await writer?.accept(next.value);
    }
  } finally {
    closed.removeEventListener("abort", stop);
    if (closed.aborted) void stream.return?.();
  }
}

function failure({ status, error, executionId }: TurnResult): HebraError {
  const details = { executionId };
  if (status === "cancelled") return new HebraError("ABORTED", "The turn was cancelled.", { details });
  return new HebraError((error?.code ?? "REACTOR_FAILED") as "REACTOR_FAILED", error?.message ?? "The turn failed.", {
    details,
    retryable: error?.retryable ?? false,
  });
}

function normalise(first: ThreadItem | LegacyReactParams<Loose>, second: ThreadReactParams<Loose> | undefined) {
  const isItem = "type" in first && typeof first.type === "string";
  const params: LegacyReactParams = isItem ? { ...second!, triggerEvent: first } : (first as LegacyReactParams);
  const trigger = params.triggerEvent ?? params.incomingEvent;
  if (params === undefined || trigger === undefined || typeof params.env !== "object" || params.env === null) {
    throw new HebraError("INVALID_OPTIONS", "react: give it the event that starts the turn and `{ env, context }`.");
  }
  return {
    env: params.env as ThreadEnvironment,
    trigger,
    identifier: params.context ?? params.contextIdentifier,
    options: params.options ?? {},
  };
}
