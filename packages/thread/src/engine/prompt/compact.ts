import { deriveId, errorMessage, type Clock, type Logger } from "@hebra/core";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import { storableText } from "../../definition/storable.ts";
import { ROW_VERSION, type ItemRow } from "../../store/rows.ts";
import type { HistoryEntry, ThreadStore } from "../../store/store.ts";
import type { AnyEvent } from "../../stream/envelope.ts";
import { createEventWriter } from "../rows/event-writer.ts";
import { itemData } from "../rows/start.ts";
import { estimateMessages } from "./estimate.ts";
import { capResults } from "./fit.ts";
import { toShown } from "./transcript.ts";

/** Where and under which lease a history is summed up. */
export interface CompactOptions {
  tenant: string;
  threadKey: string;
  contextId: string;
  threadId: string;
  fence: number;
  seq: number;
  store: ThreadStore;
  definition: AnyThreadDefinition;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
  publish(event: AnyEvent): void;
}

/**
 * Sums up what the window will soon leave behind, when enough has gathered since the last summary. Runs after a turn,
 * under
 * its lease; when it fails the history stays as it is, and the next turn's end tries again.
 */
export async function compact(options: CompactOptions): Promise<void> {
  const { tenant, contextId, store, definition, logger } = options;
  const { compaction } = definition;
  if (compaction === undefined) return;
  try {
    // Two windows: what is new since the last summary may be as long as one, and turns are never cut.
    const history = await store.history(tenant, contextId, { items: compaction.everyItems * 2 });
    const previous = history.find(({ item }) => item.kind === "summary");
    const covered = Number(previous?.item.metadata["coversSeq"] ?? 0);
    const fresh = history.filter(({ item }) => item.kind !== "summary" && (item.seq ?? 0) > covered);
    if (fresh.length === 0) return;
    const transcript = capResults(toShown(fresh), definition.prompt).shown.map(({ message }) => message);
    const { maxTokens } = definition.prompt;
    const isLarge = maxTokens !== Infinity && estimateMessages(transcript) > maxTokens / 2;
    if (fresh.length < compaction.everyItems && !isLarge) return;
    const services: unknown = await definition.services({ tenant, threadKey: options.threadKey, contextId });
    const text = await compaction.summarize({
      previous: textOf(previous),
      transcript,
      services,
      signal: options.signal,
    });
    await write(options, storableText(text), fresh.at(-1)!.item.seq!);
  } catch (error) {
    logger.warn("A history could not be summed up; the next turn tries again.", {
      contextId,
      error: errorMessage(error),
    });
  }
}

async function write(
  { tenant, contextId, threadId, fence, seq, store, clock, publish }: CompactOptions,
  text: string,
  coversSeq: number,
): Promise<void> {
  const at = clock.now();
  const writer = createEventWriter({ tenant, contextId, executionId: null, seq, at });
  const item: ItemRow = {
    v: ROW_VERSION,
    id: deriveId("summary", contextId, coversSeq),
    threadId,
    contextId,
    executionId: null,
    seq: writer.nextSeq(),
    kind: "summary",
    role: "system",
    channel: "engine",
    status: "completed",
    content: [{ kind: "text", text }],
    metadata: { coversSeq },
    createdAt: at,
    updatedAt: at,
    provenance: null,
  };
  writer.add("item-created", itemData(item));
  await store.commit(
    tenant,
    contextId,
    { fence, expectedSeq: seq },
    { context: { updatedAt: at }, items: [item], events: writer.events },
  );
  for (const event of writer.events) publish(event);
}

function textOf(entry: HistoryEntry | undefined): string | undefined {
  return entry?.item.content.map((part) => (part.kind === "text" ? part.text : "")).join("");
}
