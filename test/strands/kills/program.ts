/**
 * One process of an application: an engine over a store, and nothing but its public API. It is bundled, forked and
 * killed by the test, which talks with it over the channel of its fork.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { errorCode } from "@hebra/core";
import {
  createEngine,
  defineAction,
  defineThread,
  storeLocks,
  type ActionEffect,
  type Engine,
  type ThreadStore,
  type TurnHandle,
} from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { postgresStore } from "@hebra/thread/store/postgres";
import { redisStore } from "@hebra/thread/store/redis";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import * as z from "zod";
import type { StoreConfig } from "../../crash/stores.ts";

/** What a process is started with. */
export interface Job {
  store: StoreConfig;
  /** Where it writes which effects it had, each line on disk before it goes on. */
  effects: string;
}

/** One effect of an action. */
export interface EffectLine {
  callId: string;
  key: string;
  effect: ActionEffect;
}

export type Told =
  | { do: "send"; id: string; key: string; text: string }
  | { do: "follow"; id: string; executionId: string }
  | { do: "approve"; key: string };

export type Said =
  | { said: "ready" }
  | { said: "accepted"; id: string; executionId: string }
  | { said: "refused"; id: string; code: string }
  /** A `result` has come: the status of the turn, or the code with which it was rejected. */
  | { said: "settled"; id: string; outcome: string };

const LEASE_TTL_MS = 1_500;
const BUSY_MS = 1_000;
const tell = (said: Said) => void (process.connected && process.send!(said));

async function open(config: StoreConfig): Promise<ThreadStore> {
  for (;;) {
    try {
      if (config.kind === "sqlite") return await sqliteStore({ path: config.path, busyMs: BUSY_MS });
      if (config.kind === "redis") return await redisStore({ url: config.url, namespace: config.namespace });
      return await postgresStore({ connectionString: config.url, schema: config.schema, busyMs: BUSY_MS });
    } catch (error) {
      // As a supervisor would start it again.
      if (!["UNREACHABLE", "STORE_BUSY", "STORE_FAILED"].includes(errorCode(error) ?? "")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function start({ effects }: Job, store: ThreadStore): Engine {
  const file = openSync(effects, "a");
  process.once("exit", () => closeSync(file));
  const does = (effect: ActionEffect, asks = false) =>
    defineAction({
      description: effect,
      effect,
      input: z.object({ ms: z.number() }),
      approval: asks,
      async execute({ ms }, { idempotencyKey: key, ids: { callId, executionId } }) {
        writeSync(
          file,
          `${JSON.stringify({ callId: `${executionId} ${callId}`, key, effect } satisfies EffectLine)}\n`,
        );
        fsyncSync(file);
        await new Promise((resolve) => setTimeout(resolve, ms));
        return { did: effect };
      },
    });
  const definition = defineThread({
    name: "killed",
    actions: { look: does("read"), keep: does("idempotent"), charge: does("write"), refund: does("write", true) },
    reactor: scriptedReactor({
      steps: ({ transcript }) => {
        const part = transcript.findLast(({ role }) => role === "user")?.parts[0];
        const asks = part?.kind === "text" && part.text.includes("refund");
        const calls = ["look", "keep", "charge", ...(asks ? ["refund"] : [])];
        return [
          { text: "Working.", actions: calls.map((name, i) => ({ name, input: { ms: 5 + 15 * i } })) },
          { text: "Done." },
        ];
      },
      repeatLast: true,
    }),
  });
  return createEngine({
    store,
    threads: [definition],
    locks: storeLocks(store),
    leaseTtlMs: LEASE_TTL_MS,
    recoverEveryMs: 500,
    // Turns are cut off on purpose here, as often as the dice say.
    maxAttempts: 1_000,
  });
}

const job = JSON.parse(process.argv[2]!) as Job;
const store = await open(job.store);
const engine = start(job, store);

function heed(id: string, turn: TurnHandle): void {
  turn.result.then(
    ({ status }) => tell({ said: "settled", id, outcome: status }),
    (error: unknown) => tell({ said: "settled", id, outcome: errorCode(error) ?? String(error) }),
  );
}

async function handle(told: Told): Promise<void> {
  if (told.do === "send") {
    const turn = await engine.react("killed", { id: told.id, text: told.text }, { address: { key: told.key } });
    tell({ said: "accepted", id: told.id, executionId: turn.executionId });
    return heed(told.id, turn);
  }
  if (told.do === "follow") return heed(told.id, await engine.follow(told.executionId));
  const snapshot = await store.load("default", { key: told.key });
  for (const { id, status } of snapshot?.active?.approvals ?? []) if (status === "pending") await engine.approve(id);
}

process.on("message", (told: Told) => {
  handle(told).catch((error: unknown) => {
    if (told.do !== "approve") tell({ said: "refused", id: told.id, code: errorCode(error) ?? String(error) });
  });
});
tell({ said: "ready" });
