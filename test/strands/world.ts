import { createManualClock, HebraError, type ManualClock } from "@hebra/core";
import { localLocks } from "@hebra/lock";
import {
  createEngine,
  defineAction,
  defineThread,
  type ActionContext,
  type ActionEffect,
  type AnyThreadDefinition,
  type Engine,
  type ThreadStore,
} from "@hebra/thread";
import type { Reactor, ReactorEvent, ReactorInput } from "@hebra/thread/reactor";
import * as z from "zod";
import { oddErrors, oddTexts, oddValues, pick } from "./odd.ts";
import type { PlannedTurn } from "./plan.ts";
import { createWeather, type Weather } from "./weather.ts";

/** Two engines of one application over one store, in weather. */
export interface World {
  readonly clock: ManualClock;
  readonly weather: Weather;
  readonly definition: AnyThreadDefinition;
  engine(slot: number): Engine;
  /** Closes an engine and starts another in its place. @returns when the first has closed */
  replace(slot: number): Promise<void>;
  /** Remembers what a message makes its turn do. @returns the text that stands for it */
  teach(turn: PlannedTurn): string;
  /** What was wrong at the moment at which it happened. */
  readonly wrong: string[];
  /** Lets time pass; it stands still while the real store works. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

export const LEASE_TTL_MS = 3_000;
const SLICE_MS = 100;

const input = z.object({ ms: z.number(), how: z.string(), odd: z.number() });
type Input = z.infer<typeof input>;

/** @param name - of the definition, unique in the store */
export function createWorld(under: ThreadStore, name: string): World {
  const clock = createManualClock();
  const wrong: string[] = [];
  const weather = createWeather({ store: under, locks: localLocks({ clock }), clock });
  const taught: PlannedTurn[] = [];
  const definition = definitionOf({ name, clock, weather, wrong, taught });
  const start = () =>
    createEngine({
      store: weather.store,
      locks: weather.locks,
      threads: [definition],
      clock,
      leaseTtlMs: LEASE_TTL_MS,
      random: () => 0.5,
    });
  const engines = [start(), start()];
  return {
    clock,
    weather,
    definition,
    wrong,
    engine: (slot) => engines[slot]!,
    replace(slot) {
      const old = engines[slot]!;
      engines[slot] = start();
      return old.close();
    },
    teach: (turn) => `${taught.push(turn) - 1}|${pick(oddTexts, turn.odd)}`,
    async pass(ms) {
      await weather.quiet();
      for (let left = ms; left > 0; left -= SLICE_MS) {
        await clock.advance(Math.min(SLICE_MS, left));
        await weather.quiet();
      }
    },
    async close() {
      await Promise.all(engines.map((engine) => engine.close()));
    },
  };
}

interface Making {
  name: string;
  clock: ManualClock;
  weather: Weather;
  wrong: string[];
  taught: readonly PlannedTurn[];
}

function definitionOf(making: Making): AnyThreadDefinition {
  const does = (effect: ActionEffect, asks = false) =>
    defineAction<Input, unknown>({
      description: effect,
      effect,
      input,
      timeoutMs: 2_000,
      retry: { attempts: 2, baseMs: 10 },
      approval: asks ? { reason: pick(oddTexts, 3), expiresInMs: 30_000 } : false,
      execute: createEffect(making, effect),
    });
  const elsewhere = { description: "Runs in a browser.", inputSchema: input };
  return defineThread({
    name: making.name,
    actions: {
      read: does("read"),
      idempotent: does("idempotent"),
      write: does("write"),
      guarded: does("write", true),
      elsewhere,
    },
    reactor: model(making),
  });
}

function createEffect({ clock, weather, wrong }: Making, effect: ActionEffect) {
  const runs = new Map<string, { key: string; threw: boolean }>();
  return async ({ ms, how, odd }: Input, { idempotencyKey: key, ids: { callId, executionId } }: ActionContext) => {
    const id = `${executionId} ${callId}`;
    const before = runs.get(id);
    const run = { key, threw: false };
    runs.set(id, run);
    // Its `retry` asks for another try after an error, and after nothing else.
    if (before?.threw === false && effect === "write") wrong.push(`the write ${id} took effect twice`);
    if (before !== undefined && before.key !== key) wrong.push(`${id} ran under another key`);
    if (weather.succeeded.has(key)) wrong.push(`${id} ran again after its result was stored`);
    // It does not heed its signal: what it does, it does.
    if (ms > 0) await new Promise<void>((resolve) => clock.after(ms, resolve));
    run.threw = how === "throws";
    if (run.threw) throw pick(oddErrors, odd)();
    return pick(oddValues, odd)();
  };
}

/** Plays what the newest message of a turn stands for. */
function model({ clock, weather, wrong, taught }: Making): Reactor {
  const scripts = new Map<string, PlannedTurn>();
  const failed = new Set<string>();
  return {
    contract: "reactor-v1",
    name: "planned",
    async *react(asked: ReactorInput): AsyncGenerator<ReactorEvent> {
      const { executionId, iteration, stepId } = asked.ids;
      if (weather.answered.has(stepId)) wrong.push(`the paid answer ${stepId} was asked for again`);
      const script = scripts.get(executionId) ?? scriptOf(asked, taught);
      scripts.set(executionId, script);
      if (script.thinksMs > 0) await new Promise<void>((resolve) => clock.after(script.thinksMs, resolve));
      const calls = script.steps[iteration];
      yield { type: "part-start", partId: "p", kind: "text" };
      yield { type: "part-delta", partId: "p", delta: pick(oddTexts, script.odd + iteration) };
      if (calls === undefined && script.last === "breaks off") return;
      if (
        calls === undefined &&
        script.last.startsWith("fails") &&
        !(script.last === "fails once" && failed.has(stepId))
      ) {
        failed.add(stepId);
        throw script.last === "fails once"
          ? new HebraError("REACTOR_FAILED", "Overloaded.", { retryable: true })
          : pick(oddErrors, script.odd)();
      }
      yield { type: "part-end", partId: "p" };
      for (const [slot, { name, ...rest }] of (calls ?? []).entries())
        yield {
          type: "action-request",
          // Models repeat themselves in their ids, and write anything into them.
          callId: `${iteration}.${slot}${pick(oddTexts, script.odd)}`,
          name: name === "unknown" ? `no such ${pick(oddTexts, rest.odd)}` : name,
          input: rest.odd === 15 ? pick(oddTexts, rest.odd) : rest,
        };
      yield { type: "usage", usage: { inputTokens: 1, outputTokens: 1 } };
      yield { type: "finish", reason: calls === undefined || calls.length === 0 ? "stop" : "actions" };
    },
  };
}

function scriptOf({ transcript }: ReactorInput, taught: readonly PlannedTurn[]): PlannedTurn {
  const part = transcript.findLast(({ role }) => role === "user")?.parts[0];
  const text = part?.kind === "text" ? part.text : "";
  return taught[Number(text.split("|")[0])]!;
}
