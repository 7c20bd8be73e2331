import { createEngine, defineAction, defineThread, storeLocks, type ThreadStore } from "@hebra/thread";
import { aiSdkReactor } from "@hebra/reactor/ai-sdk";
import { scriptedReactor } from "@hebra/reactor/scripted";
import type { Reactor } from "@hebra/reactor";
import { memoryStore } from "@hebra/thread/store/memory";
import { postgresStore } from "@hebra/thread/store/postgres";
import { redisStore } from "@hebra/thread/store/redis";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import * as z from "zod";
import type { Kind, OpenOptions, Subject } from "./subject.ts";
import { ACTION, mockModel, nextMove, pairsOf, RESULT, triggerText, WINDOW_TURNS } from "./workload.ts";

/** Each with its durability stated: what a finished commit has survived. */
const stores = {
  nowhere: async () => memoryStore(),
  sqlite: ({ at }: OpenOptions) => sqliteStore({ path: at, synchronous: "FULL" }),
  postgres: ({ at }: OpenOptions) => postgresStore({ connectionString: at, migrations: "automatic", busyMs: 60_000 }),
  redis: ({ at }: OpenOptions) => redisStore({ url: at }),
} as const;

/** The script that does what the model of the AI SDK does. */
const script = (): Reactor =>
  scriptedReactor({
    repeatLast: true,
    steps: [
      (input) => {
        const trigger = input.transcript.findLast(({ role }) => role === "user")?.parts[0];
        const move = nextMove(trigger?.kind === "text" ? pairsOf(trigger.text) : 0, input.ids.iteration);
        return "text" in move ? { text: move.text } : { actions: [{ name: ACTION, input: { n: move.call } }] };
      },
    ],
  });

const reactors = { script, "AI SDK": (): Reactor => aiSdkReactor({ model: mockModel() }) };

function subject(store: ThreadStore, reactor: Reactor, { shared = false }: OpenOptions, historyItems: number): Subject {
  const definition = defineThread({
    name: "bench",
    reactor,
    policy: { maxIterations: 1_000 },
    actions: {
      [ACTION]: defineAction({
        description: "Looks something up.",
        input: z.object({ n: z.number() }),
        execute: () => RESULT,
      }),
    },
  });
  const locks = shared ? storeLocks(store) : undefined;
  const engine = createEngine({ store, threads: [definition], historyItems, ...(locks && { locks }) });
  return {
    async turn(thread, trigger, pairs) {
      const turn = await engine.react(
        definition,
        { id: trigger, text: triggerText(pairs) },
        { address: { key: thread } },
      );
      let events = 0;
      for await (const _ of turn.stream) events++;
      const { status, usage } = await turn.result;
      if (status !== "completed" || usage.calls !== pairs || events === 0)
        throw new Error(`A turn ended as ${status} with ${usage.calls} calls of ${pairs}.`);
    },
    async turns(thread) {
      return (await engine.history({ key: thread }, { items: 100_000 })).filter(({ item }) => item.kind === "reaction")
        .length;
    },
    async close() {
      await engine.idle();
      await engine.close();
      await locks?.close();
      await store.close();
    },
  };
}

/** Our engine on a store. @param historyItems - what the model is shown @defaultValue as the engine's own default */
export function hebra(
  home: keyof typeof stores,
  reactor: keyof typeof reactors,
  historyItems = WINDOW_TURNS * 2,
): Kind {
  return {
    home,
    open: async (options) => subject(await stores[home](options), reactors[reactor](), options, historyItems),
  };
}
