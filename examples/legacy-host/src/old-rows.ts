import type { LegacyTables } from "@hebra/thread/legacy";

const at = (second: number) => ({ createdAt: new Date(1_760_000_000_000 + second * 1_000).toISOString() });

/** What the old engine's tables hold of one conversation, by tenant. */
export const oldRows = new Map<string, LegacyTables>([
  [
    "acme",
    {
      context_contexts: [
        { id: "ctx-1", key: "customer-1", status: "open", content: { orgId: "acme", questions: 1 }, ...at(0) },
      ],
      context_events: [
        {
          id: "old-in",
          context: "ctx-1",
          type: "input_text",
          channel: "web",
          status: "stored",
          content: { parts: [{ type: "text", text: "Do you ship to Lisbon?" }] },
          ...at(1),
        },
        {
          id: "old-out",
          context: "ctx-1",
          type: "output_text",
          channel: "web",
          status: "completed",
          content: { parts: [{ type: "text", text: "We do." }] },
          ...at(3),
        },
      ],
      story_executions: [
        { id: "old-run", context: "ctx-1", trigger: "old-in", reaction: "old-out", status: "completed", ...at(2) },
      ],
    },
  ],
]);
