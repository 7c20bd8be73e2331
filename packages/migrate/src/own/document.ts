import type { JsonObject } from "@hebra/core";
import type { ContextDocument } from "../target/target.ts";
import type { ThreadMapping } from "./mapping.ts";
import type { Findings, MappedMessage } from "./messages.ts";

/** The row version of the thread store that this mapping writes. */
const ROW_VERSION = 1;

/** What all lines of a thread share. */
export interface ThreadFacts {
  mapping: ThreadMapping;
  key: string;
  name: string | null;
  state: JsonObject;
  ids: { thread: string; context: string };
  sourceId: string;
  createdAt: number;
  updatedAt: number;
}

/** One line of a thread: the main one, or a fork. */
export interface LineSpec {
  id: string;
  messages: readonly MappedMessage[];
  /** The messages that a fork shares. */
  before: readonly MappedMessage[];
  parent: { id: string } | undefined;
}

/** One line as a store keeps it. Imported messages are items: the turns that made them are not known. */
export function contextDocument(facts: ThreadFacts, line: LineSpec, findings: Findings): ContextDocument {
  const { mapping, key, name, state, ids, sourceId, createdAt, updatedAt } = facts;
  const shared = (id: string, source: string, at = { createdAt, updatedAt }) => ({
    v: ROW_VERSION,
    id,
    ...at,
    provenance: { source: mapping.from, id: source },
  });
  const start = settle(mapping, line.before, undefined).length;
  const messages = settle(mapping, line.messages, findings, line.before);
  const items = messages.map((message, i) => ({
    ...shared(message.id, message.sourceId ?? message.id, {
      createdAt: message.createdAt,
      updatedAt: message.createdAt,
    }),
    threadId: ids.thread,
    contextId: line.id,
    executionId: null,
    seq: start + i + 1,
    kind: message.role === "user" ? "trigger" : message.role === "system" ? "note" : "reaction",
    role: message.role === "tool" ? "assistant" : message.role,
    channel: "web",
    status: "completed",
    content: message.content,
    metadata: {},
  }));
  return {
    thread: { ...shared(ids.thread, sourceId), key, name, mainContextId: ids.context },
    context: {
      ...shared(line.id, sourceId),
      threadId: ids.thread,
      status: "open",
      state,
      stateVersion: 1,
      seq: start + items.length,
      inboxSeq: 0,
      fence: 0,
      currentExecutionId: null,
      parentContextId: line.parent?.id ?? null,
      parentSeq: line.parent === undefined ? null : start,
      sessions: {},
      importing: false,
    },
    items,
    executions: [],
    steps: [],
    parts: [],
    calls: [],
    triggers: [],
  };
}

/** Puts each result into the part of its call. A result without a call before it is rejected. */
function settle(
  mapping: ThreadMapping,
  messages: readonly MappedMessage[],
  findings: Findings | undefined,
  before: readonly MappedMessage[] = [],
): MappedMessage[] {
  const known = new Map<string, JsonObject>();
  for (const { content } of before)
    for (const part of content) if (part["kind"] === "action") known.set(String(part["callId"]), part);
  return messages.flatMap((message) => {
    if (message.settles === undefined) {
      const content = message.content.map((part) => ({ ...part }));
      for (const part of content) if (part["kind"] === "action") known.set(String(part["callId"]), part);
      return [{ ...message, content }];
    }
    const { callId, output } = message.settles;
    const call = known.get(callId);
    if (call !== undefined && !before.some(({ content }) => content.includes(call))) {
      delete call["error"];
      call["status"] = "succeeded";
      call["output"] = output;
      return [];
    }
    const { conversation, messages: columns } = mapping;
    findings?.rejects.push({
      entity: "from" in columns ? columns.from : `${conversation.from}.${columns.in}`,
      id: message.sourceId ?? null,
      code: "ROW_ORPHANED",
      path: `${message.path}${columns.callId}`,
      detail: `no call ${callId} comes before it in its line`,
    });
    return [];
  });
}
