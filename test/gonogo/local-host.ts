import { deriveId, systemClock } from "@hebra/core";
import { createFlags, staticProvider } from "@hebra/flags";
import {
  createEngine,
  defineAction,
  defineThread,
  ROW_VERSION,
  type AnyThreadDefinition,
  type ContextBundle,
  type ThreadStore,
} from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import type { GoNoGoHost } from "@hebra/thread/testing";
import * as z from "zod";
import { seenSpans } from "./seen-spans.ts";

/** How many conversations of the time before the local host holds. */
const OLD = 5;

/**
 * A host with everything that the suite asks for, on this machine: the engine on SQLite, a flag that is off by default,
 * an
 * old engine behind it, and imported conversations. It shows that the library keeps its side; a host runs the same
 * suite
 * over its own.
 *
 * @param path - the database file.
 */
export async function localHost(path: string): Promise<GoNoGoHost & { close(): Promise<void> }> {
  const store = await sqliteStore({ path, synchronous: "NORMAL" });
  const { definition, cut } = desk();
  const engine = createEngine({ store, threads: [definition] });
  const flags = createFlags({
    provider: staticProvider({
      flags: {
        "thread-engine": { state: "ENABLED", variants: { legacy: "legacy", new: "new" }, defaultVariant: "legacy" },
      },
    }),
  });
  await flags.ready();
  const rows = async (session: string) => {
    const found = await store.load("default", { key: session });
    return found === undefined ? undefined : store.export("default", found.context.id);
  };
  await importOld(store);
  const spansOf = seenSpans();

  return {
    name: "local, SQLite",
    rows,
    async react(session, trigger) {
      const turn = await engine.react(definition, trigger, { address: { key: session } });
      await turn.result;
      await engine.idle();
      return { executionId: turn.executionId, contextId: turn.contextId };
    },
    async withoutFlag(session, text) {
      const { mode } = flags.decide("thread-engine", { session });
      if (mode === "legacy") return { engine: "legacy", text: `The old engine heard: ${text}` };
      const turn = await engine.react(definition, { id: "m1", text }, { address: { key: session } });
      return { engine: "new", text: (await turn.result).text };
    },
    async *oldHistories() {
      for (let i = 0; i < OLD; i++) {
        const id = oldKey(i);
        yield { id, expectedItems: i + 1, entries: await engine.history({ key: id }) };
      }
    },
    async cutAndResume(session) {
      const first = createEngine({ store, threads: [definition] });
      const reached = cut.arm();
      const turn = await first.react(definition, { id: "m1", text: "Cut me off." }, { address: { key: session } });
      turn.result.catch(() => undefined);
      await reached;
      await first.close();
      const before = (await rows(session))!;
      cut.disarm();
      await engine.recover({ olderThanMs: -1 });
      await engine.idle();
      return { before, after: (await rows(session))! };
    },
    spans: async (executionId) => spansOf(executionId),
    async close() {
      await engine.close();
      await flags.close();
      await store.close();
    },
  };
}

/** Three steps; the second action can be made to hang, as where a process is cut off. */
function desk(): { definition: AnyThreadDefinition; cut: { arm(): Promise<void>; disarm(): void } } {
  let hang = false;
  let reached = () => {};
  const definition = defineThread({
    name: "go-no-go",
    actions: {
      find_order: defineAction({
        description: "Finds an order.",
        input: z.object({ number: z.string() }),
        effect: "read",
        execute: ({ number }) => ({ number, status: "shipped" }),
      }),
      track: defineAction({
        description: "Tracks a parcel.",
        input: z.object({ number: z.string() }),
        effect: "idempotent",
        execute: ({ number }, { signal }) => {
          if (!hang) return { number, at: "Rosario" };
          reached();
          return new Promise<never>((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
          );
        },
      }),
    },
    reactor: scriptedReactor({
      steps: [
        { text: "One moment.", actions: [{ name: "find_order", input: { number: "A-1" } }] },
        { actions: [{ name: "track", input: { number: "A-1" } }] },
        { text: "It is in Rosario." },
      ],
    }),
  });
  return {
    definition,
    cut: {
      arm() {
        hang = true;
        return new Promise((resolve) => (reached = resolve));
      },
      disarm: () => void (hang = false),
    },
  };
}

const oldKey = (i: number) => `old-${i}`;

/** Conversations as a migration leaves them: items without executions, whose rows say where they came from. */
async function importOld(store: ThreadStore): Promise<void> {
  const at = systemClock.now();
  for (let i = 0; i < OLD; i++) await store.import("default", oldBundle(i, at));
}

function oldBundle(i: number, at: number): ContextBundle {
  const threadId = deriveId("old-thread", i);
  const contextId = deriveId("old-context", i);
  const shared = { v: ROW_VERSION, createdAt: at, updatedAt: at, provenance: { source: "story" } };
  return {
    thread: { ...shared, id: threadId, key: oldKey(i), name: null, mainContextId: contextId },
    context: {
      ...shared,
      id: contextId,
      threadId,
      status: "open",
      state: {},
      stateVersion: 1,
      seq: i + 1,
      inboxSeq: 0,
      fence: 0,
      currentExecutionId: null,
      parentContextId: null,
      parentSeq: null,
      sessions: {},
      importing: false,
    },
    items: Array.from({ length: i + 1 }, (_, n) => ({
      ...shared,
      id: deriveId("old-item", i, n),
      threadId,
      contextId,
      executionId: null,
      seq: n + 1,
      kind: n % 2 === 0 ? ("trigger" as const) : ("reaction" as const),
      role: n % 2 === 0 ? ("user" as const) : ("assistant" as const),
      channel: "web",
      status: "completed" as const,
      content: [{ kind: "text" as const, text: `Line ${n}` }],
      metadata: {},
    })),
    executions: [],
    steps: [],
    parts: [],
    calls: [],
  };
}
