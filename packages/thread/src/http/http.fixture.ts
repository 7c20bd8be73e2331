import * as z from "zod";
import { defineAction } from "../definition/define-action.ts";
import { defineThread, type AnyThreadDefinition } from "../definition/define-thread.ts";
import { createEngine } from "../engine/engine.ts";
import { scriptedReactor } from "@hebra/reactor";
import { memoryStore } from "../store/memory.ts";
import { sqliteStore } from "../store/sqlite.ts";
import type { ThreadStore } from "../store/store.ts";
import type { ThreadCaller } from "./caller.ts";
import { createThreadHandler } from "./handler.ts";
import type { ThreadHandlerOptions } from "./options.ts";

/** The stores that every route is tried on. */
export const stores: Record<string, () => Promise<ThreadStore>> = {
  memory: async () => memoryStore(),
  sqlite: () => sqliteStore({ path: ":memory:" }),
};

/** Bearer tokens. Two tenants, three roles. */
export const callers: Record<string, ThreadCaller> = {
  "acme-user": { tenant: "acme", user: "ana", can: ["read", "write"], keys: ["ana:*", "shared"] },
  "acme-clerk": { tenant: "acme", user: "carl", can: ["read", "decide"] },
  "acme-operator": { tenant: "acme", user: "olga", can: ["read", "write", "decide", "operate"] },
  "blue-user": { tenant: "blue", user: "bob", can: ["read", "write"], keys: ["bob:*", "shared"] },
  "blue-clerk": { tenant: "blue", user: "bea", can: ["read", "decide"] },
  "blue-operator": { tenant: "blue", user: "otto", can: ["read", "write", "decide", "operate"] },
};

/** Answers with an echo; a message that holds "refund" asks for an approval first. */
const desk = defineThread({
  name: "desk",
  state: z.object({ secret: z.string() }),
  initialState: { secret: "inner-state" },
  actions: {
    refund: defineAction({
      description: "Pays an order back.",
      input: z.object({ order: z.string() }),
      approval: { reason: "Refunds need consent." },
      execute: ({ order }) => ({ refunded: order }),
    }),
  },
  reactor: scriptedReactor({
    steps: ({ transcript }) => {
      const parts = transcript.filter(({ role }) => role === "user").at(-1)?.parts ?? [];
      const text = parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
      const answer = { text: ["You said: ", text] };
      return text.includes("refund") ? [{ actions: [{ name: "refund", input: { order: "A-7" } }] }, answer] : [answer];
    },
    repeatLast: true,
  }),
});

/** An engine with its handler over a store. */
export async function setUp(
  storeName: string,
  over: Partial<ThreadHandlerOptions> = {},
  definition: AnyThreadDefinition = desk,
) {
  const store = await stores[storeName]!();
  const engine = createEngine({ store, threads: [definition], recoverEveryMs: false });
  const handler = createThreadHandler({
    engine,
    store,
    threads: ["desk"],
    authorize: (request) => callers[(request.headers.get("authorization") ?? "").replace(/^Bearer /, "")],
    ...over,
  });
  return {
    store,
    engine,
    handler,
    async close() {
      await engine.idle();
      await engine.close();
      await store.close();
    },
    /** A request with a token; a body goes as JSON. */
    async send(token: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const response = await handler(
        new Request(`http://localhost${path}`, {
          method,
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      );
      const text = await response.text();
      const isJson = /json/.test(response.headers.get("content-type") ?? "");
      return {
        status: response.status,
        header: (name: string) => response.headers.get(name),
        text,
        body: isJson ? (JSON.parse(text) as unknown) : undefined,
      };
    },
  };
}

/** The events of a text of server-sent events. */
export function eventsOf(text: string): { id?: string; event?: string; data: Record<string, unknown> }[] {
  return text
    .split("\n\n")
    .filter((block) => /^(id|event|data):/m.test(block))
    .map((block) => {
      const fields = Object.fromEntries(
        block.split("\n").map((one) => [one.split(": ")[0], one.replace(/^\w+: /, "")]),
      );
      return { ...fields, data: JSON.parse(fields["data"]!) as Record<string, unknown> };
    });
}
