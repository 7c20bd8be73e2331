import { defineMapping, type ThreadMapping } from "./mapping.ts";

/**
 * Stored AI SDK UI messages: a list in each conversation's row. A row has an `id` and its `messages`, each with `id`,
 * `role` and `parts`.
 */
export const uiMessages: ThreadMapping = defineMapping({
  from: "ui-messages",
  to: "thread",
  conversation: { from: "conversations", id: "id", title: "title", createdAt: "createdAt" },
  messages: { in: "messages", id: "id", role: "role", content: "parts", createdAt: "metadata.createdAt" },
  onMissing: { id: "derive", createdAt: "derive" },
});

/**
 * OpenAI chat messages: one conversation a row, with its `messages` in order. Rows need no id; results of tools go into
 * their calls.
 */
export const openAiMessages: ThreadMapping = defineMapping({
  from: "openai-messages",
  to: "thread",
  conversation: { from: "conversations", id: "id", createdAt: "created_at" },
  messages: { in: "messages", role: "role", content: "content", calls: "tool_calls", callId: "tool_call_id" },
  onMissing: { id: "derive", createdAt: "derive" },
  time: { unit: "s" },
});

/** A ChatGPT export, `conversations.json`: the current line of each tree, and each other branch as a fork. */
export const chatGptExport: ThreadMapping = defineMapping({
  from: "chatgpt-export",
  to: "thread",
  conversation: { from: "conversations", id: "id", title: "title", createdAt: "create_time" },
  messages: {
    in: "mapping",
    tree: { parent: "parent", current: "current_node" },
    id: "message.id",
    role: "message.author.role",
    content: "message.content",
    createdAt: "message.create_time",
  },
  onMissing: { id: "derive", createdAt: "derive" },
  time: { unit: "s" },
});

/** The mappings that come with the kit, by the names that `--mapping` takes. */
export const presets: Readonly<Record<string, ThreadMapping>> = {
  "ui-messages": uiMessages,
  "openai-messages": openAiMessages,
  "chatgpt-export": chatGptExport,
};
