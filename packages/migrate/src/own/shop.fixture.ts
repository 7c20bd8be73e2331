import type { JsonObject } from "@hebra/core";
import { defineMapping } from "./mapping.ts";

// A shop's own tables: whole numbers as ids, column names of its own, tool calls as JSON.
// #region mapping
export const mapping = defineMapping({
  from: "shop",
  to: "thread",
  conversation: { from: "conversations", id: "no", title: "subject", createdAt: "opened_at" },
  messages: {
    from: "messages",
    conversation: "conversation_no",
    id: "no",
    role: "author",
    content: "body",
    createdAt: "sent_at",
    roles: { customer: "user", agent: "assistant" },
  },
  toolCalls: { in: "tool_calls", id: "id", name: "name", input: "arguments", output: "result", error: "error" },
});
// #endregion

export { mapping as shopMapping };

/** Conversations of four messages; the third answer called a tool. */
export function shopTables(count: number): Record<"conversations" | "messages", JsonObject[]> {
  const conversations: JsonObject[] = [];
  const messages: JsonObject[] = [];
  for (let no = 1; no <= count; no++) {
    const at = (i: number) => new Date(1_700_000_000_000 + no * 60_000 + i * 1_000).toISOString();
    conversations.push({ no, subject: `Order ${no}`, opened_at: at(0) });
    const say = (i: number, author: string, body: string, tool_calls: JsonObject[] | null = null) =>
      messages.push({ no: no * 10 + i, conversation_no: no, author, body, tool_calls, sent_at: at(i) });
    say(1, "customer", "Where is my order?");
    say(2, "agent", "On its way.", [
      { id: "c1", name: "find_order", arguments: `{"order":${no}}`, result: { status: "shipped" } },
    ]);
    say(3, "customer", "Thanks.");
    say(4, "agent", "You are welcome.");
  }
  return { conversations, messages };
}
