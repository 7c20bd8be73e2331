import { legacyChunks } from "@hebra/compat";
import { createManualClock, type JsonObject } from "@hebra/core";
import { staticProvider, type RolloutConfig, type StaticProvider } from "@hebra/flags";
import { memoryIncidents } from "@hebra/flags/incident";
import { scriptedReactor } from "@hebra/reactor";
import { defineAction, defineThread } from "@hebra/thread";
import type { LegacyTurn, Runtime } from "@hebra/thread/runtime";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import * as z from "zod";
import { root } from "../../scripts/lib/paths.mjs";
import { deploy, FLAG, type Form } from "./forms.fixture.ts";
import { createOldEngine } from "./old-engine.fixture.ts";

const golden = (
  JSON.parse(readFileSync(join(root, "packages/compat/src/stream/chunks.golden.json"), "utf8")) as {
    turn: JsonObject[];
  }
).turn;

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Ids that differ from turn to turn, by the order in which they come. */
function stable(chunks: readonly object[]): unknown {
  const names = new Map<string, string>();
  const name = (id: string) => names.get(id) ?? names.set(id, `id-${names.size + 1}`).get(id)!;
  return JSON.parse(JSON.stringify(chunks).replace(uuid, name));
}

/** The old engine streams what it was recorded to stream, with ids of its own for each turn. */
function recorded(contextId: string): object[] {
  const ids = new Map([["id-1", contextId]]);
  const own = (id: string) => ids.get(id) ?? ids.set(id, randomUUID()).get(id)!;
  return JSON.parse(JSON.stringify(golden).replace(/id-\d+/g, own)) as object[];
}

const input = z.object({ number: z.string().optional() });
const action = (execute: (given: { number?: string | undefined }) => JsonObject | string) =>
  defineAction({ description: "For the test.", input, execute });

/** @param reading - resolves when the client has seen that the turn began: deltas are not kept */
function newEngine(reading: () => Promise<void>) {
  return defineThread({
    name: "desk",
    policy: { requiredAction: "end" },
    actions: {
      find: action(({ number }) => ({ number: number!, status: "shipped" })),
      fail: action(() => {
        throw new Error("no lamp");
      }),
      end: action(() => "ended"),
    },
    reactor: scriptedReactor({
      steps: [
        async () => {
          await reading();
          return {
            reasoning: "Hm.",
            text: ["One ", "moment."],
            actions: [
              { name: "find", input: { number: "A-7" }, callId: "c-1" },
              { name: "fail", input: {}, callId: "c-2" },
            ],
          };
        },
        { text: "It has shipped.", actions: [{ name: "end", input: {}, callId: "c-3" }] },
      ],
    }),
  });
}

async function play(form: Form) {
  const sources: StaticProvider[] = [];
  let version = 1;
  let rollout: Omit<RolloutConfig, "version"> = {};
  const document = () => ({ flags: {}, rollouts: { [FLAG]: { version, ...rollout } } });
  const contextId = randomUUID();
  const answer = ({ write }: LegacyTurn) => {
    for (const chunk of recorded(contextId)) write(chunk);
    return { status: "ok" as const, texts: ["It has shipped."] };
  };
  const old = createOldEngine(answer, { contextOf: () => contextId });
  let seen = { promise: Promise.resolve(), open: () => {} };
  const deployment = await deploy(form, {
    clock: createManualClock(),
    incidents: memoryIncidents(),
    legacy: old.legacy,
    definition: newEngine(() => seen.promise),
    provider: () => sources[sources.push(staticProvider(document())) - 1]!,
    wrap: (store) => store,
  });
  const runtimes = deployment.processes.map(({ runtime }) => runtime);
  let turns = 0;
  return {
    deployment,
    old,
    contextId,
    flag(next: Omit<RolloutConfig, "version">) {
      version++;
      rollout = next;
      for (const source of sources) source.set(document());
    },
    /** One turn in the next process, as a client of the old stream reads it. @param midway - once it has begun */
    async ask(midway: () => void = () => {}) {
      const id = `q${turns}`;
      const runtime: Runtime = runtimes[turns++ % runtimes.length]!;
      let open = () => {};
      seen = { promise: new Promise<void>((resolve) => (open = resolve)), open: () => open() };
      const turn = await runtime.turn("desk", { id, text: "Where is A-7?" }, { address: { key: "ana" } });
      const chunks: object[] = [];
      for await (const chunk of turn.engine === "new" ? legacyChunks(turn.handle.stream) : turn.chunks) {
        chunks.push(chunk);
        if ((chunk as { type: string }).type !== "start") continue;
        midway();
        seen.open();
      }
      await turn.result;
      return { engine: turn.engine, chunks };
    },
  };
}

const kill = { at: "2026-03-02T09:00:00Z", by: "ana", reason: "test" };
const skip: Readonly<Record<Form, boolean>> = {
  "gateway with embedded worker": false,
  "gateway and two workers, store on Redis": process.env["REDIS_URL"] === undefined,
  "gateway and two workers, store on Postgres":
    process.env["REDIS_URL"] === undefined || process.env["DATABASE_URL"] === undefined,
};

for (const [form, skipped] of Object.entries(skip) as [Form, boolean][]) {
  test.skipIf(skipped)(
    `${form}: clients of the old stream get the recorded chunks from either engine, across a kill and the way back`,
    { timeout: 60_000 },
    async () => {
      const { ask, flag, old, contextId, deployment } = await play(form);
      const engines: string[] = [];
      const check = async (midway?: () => void) => {
        const { engine, chunks } = await ask(midway);
        engines.push(engine);
        assert.deepEqual(stable(chunks), golden, `turn ${engines.length} on the ${engine} engine`);
        assert.ok(JSON.stringify(chunks[0]).includes(contextId), "the conversation keeps its id");
      };
      await check();
      flag({ canary: { percent: 100 } });
      await check();
      await check();
      // The turn that runs at the kill ends where it began, chunk by chunk.
      await check(() => flag({ kill }));
      await check();
      flag({ canary: { percent: 100 } });
      await check();
      assert.deepEqual(engines, ["legacy", "new", "new", "new", "legacy", "new"]);
      assert.equal(old.texts("ana").filter((text) => text === "Where is A-7?").length, 5, "all but the last, so far");
      await deployment.close();
    },
  );
}
