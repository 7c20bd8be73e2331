/**
 * A process of one build of the packages, which does what it is told over the channel of its fork. The newer build
 * knows a
 * column more in every table, `mood`, and fills it in; it also adds members of its own to documents.
 */
import { errorCode } from "@hebra/core";
import {
  bundleDigest,
  createEngine,
  defineAction,
  defineThread,
  exportJsonLines,
  importJsonLines,
  ROW_VERSION,
  storeLocks,
  withState,
  type Begin,
  type Changes,
  type Engine,
  type ThreadStore,
} from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { memoryStore } from "@hebra/thread/store/memory";
import * as z from "zod";
import { openStore, type StoreConfig } from "../crash/stores.ts";

/** What a process is told to do. */
export type Command =
  | { do: "open"; store: StoreConfig; newer: boolean }
  /** Plays a turn until it ends, or waits for a person. `die`: the process kills itself in its action. */
  | { do: "react"; key: string; id: string; text: "plain" | "ask" | "die"; tenant?: string }
  /** Plays many turns, one after the other. */
  | { do: "play"; key: string; from: number; count: number }
  /** Gives the consent that a turn waits for, and ends it. */
  | { do: "approve"; key: string }
  | { do: "recover" }
  /** Marks what was sent. */
  | { do: "mark"; key: string }
  | { do: "history"; key: string }
  | { do: "export"; key: string; tenant?: string }
  | { do: "digest"; key: string }
  | { do: "lines"; tenant: string }
  | { do: "import"; lines: string[] }
  | { do: "close" };

export interface Told {
  number: number;
  command: Command;
}
export type Said = { number: number; result: unknown } | { number: number; code: string };

const call = (name: string) => ({ name, input: {} });
const definition = defineThread({
  name: "mixed",
  state: z.object({ paid: z.number() }),
  initialState: { paid: 0 },
  actions: {
    look: defineAction({ description: "Looks.", input: z.object({}), effect: "read", execute: () => "seen" }),
    pay: defineAction({
      description: "Pays.",
      input: z.object({}),
      approval: { reason: "Money." },
      execute: (_input, { state }) => withState("paid", { paid: (state as { paid: number }).paid + 1 }),
    }),
    fall: defineAction({
      description: "Ends the process.",
      input: z.object({}),
      execute: () => new Promise(() => process.kill(process.pid, "SIGKILL")),
    }),
  },
  reactor: scriptedReactor({
    steps: ({ transcript }) => {
      const asked = transcript.findLast(({ role }) => role === "user")?.parts[0];
      const text = asked?.kind === "text" ? asked.text : "";
      if (text === "ask") return [{ text: "May I?", actions: [call("look"), call("pay")] }, { text: "Paid." }];
      if (text === "die") return [{ text: "Oh.", actions: [call("fall")] }, { text: "Still here." }];
      return [{ text: "Let me see.", actions: [call("look")] }, { text: `You said ${text}.` }];
    },
  }),
});

/**
 * What a build that knows more writes: its own column in every row that it makes, and members of its own in documents.
 */
function knowingMore(store: ThreadStore): ThreadStore {
  const row = <R extends { id?: string; triggerId?: string }>(one: R): R => ({
    ...one,
    mood: (one as { mood?: unknown }).mood ?? { by: "newer", of: one.id ?? one.triggerId },
  });
  const rows = <R extends { id: string }>(some: readonly R[] | undefined) => some?.map(row);
  const own = (
    changes: Pick<Changes, "items" | "executions" | "steps" | "parts" | "calls" | "approvals" | "outbox">,
  ) => ({
    items: rows(changes.items)?.map((item) => ({ ...item, metadata: { ...item.metadata, flavour: "sweet" } })),
    executions: rows(changes.executions)?.map((execution) => ({
      ...execution,
      usage: { ...execution.usage, tastes: 5 },
      correlation: { ...execution.correlation, wave: 7 },
    })),
    steps: rows(changes.steps),
    parts: rows(changes.parts)?.map((part) => ({ ...part, content: { ...part.content, tint: "red" } })),
    calls: rows(changes.calls),
    approvals: rows(changes.approvals),
    outbox: rows(changes.outbox),
  });
  const defined = (given: object) =>
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return {
    ...store,
    begin: (tenant, begin) => {
      const { items, executions, steps } = own({
        items: begin.items,
        executions: [begin.execution],
        ...(begin.steps && { steps: begin.steps }),
      });
      return store.begin(tenant, {
        ...begin,
        thread: row(begin.thread),
        context: row(begin.context),
        trigger: row(begin.trigger),
        items: items!,
        execution: executions![0]!,
        ...(steps && { steps }),
      } as Begin);
    },
    commit: (tenant, contextId, guard, changes) =>
      store.commit(tenant, contextId, guard, { ...changes, ...defined(own(changes)) }),
  };
}

let store: ThreadStore;
let engine: Engine;

async function carryOut(command: Command): Promise<unknown> {
  switch (command.do) {
    case "open":
      store = await openStore(command.store);
      if (command.newer) store = knowingMore(store);
      engine = createEngine({
        store,
        threads: [definition],
        locks: storeLocks(store),
        leaseTtlMs: 3_000,
        settleWindowMs: 1,
        outbox: ({ result }) => [{ text: result.text }],
      });
      return ROW_VERSION;
    case "react": {
      const { key, id, text, tenant = "default" } = command;
      const turn = await engine.react(definition, { id, text }, { address: { tenant, key } });
      const { status } = await turn.result;
      await engine.idle();
      return status;
    }
    case "play": {
      const { key, from, count } = command;
      const ended: string[] = [];
      for (let i = from; i < from + count; i++)
        ended.push(
          (await (await engine.react(definition, { id: `m${i}`, text: "plain" }, { address: { key } })).result).status,
        );
      await engine.idle();
      return ended;
    }
    case "approve": {
      const { active } = (await store.load("default", { key: command.key }))!;
      for (const { id, status } of active!.approvals) if (status === "pending") await engine.approve(id);
      await engine.resume({ key: command.key });
      await engine.idle();
      return (await store.execution("default", active!.execution.id))?.execution.status;
    }
    case "recover":
      await engine.recover({ olderThanMs: -1 });
      return engine.idle();
    case "mark": {
      const { context, outbox } = (await store.load("default", { key: command.key }))!;
      const fence = context.fence + 1;
      await store.commit(
        "default",
        context.id,
        { fence, expectedSeq: context.seq },
        { context: { updatedAt: Date.now() }, handedOver: outbox.map(({ id }) => id), events: [] },
      );
      return outbox.length;
    }
    case "history":
      return (await engine.history({ key: command.key }, { items: 1_000 })).map(({ item, parts }) => [
        item.id,
        item.status,
        parts.length,
      ]);
    case "export": {
      const { tenant = "default", key } = command;
      return store.export(tenant, (await store.load(tenant, { key }))!.context.id);
    }
    case "digest":
      return bundleDigest(
        (await store.export("default", (await store.load("default", { key: command.key }))!.context.id))!,
      );
    case "lines": {
      const lines: string[] = [];
      for await (const line of exportJsonLines(store, { tenant: command.tenant })) lines.push(line);
      return lines;
    }
    case "import":
      return importJsonLines(memoryStore(), command.lines);
    case "close":
      await engine.close();
      await store.close();
  }
}

process.on("message", ({ number, command }: Told) => {
  void carryOut(command).then(
    (result) => process.send!({ number, result } satisfies Said),
    (error: unknown) => process.send!({ number, code: errorCode(error) ?? String(error) } satisfies Said),
  );
});
