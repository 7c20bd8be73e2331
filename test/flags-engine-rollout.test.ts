import { createManualClock, HebraError, type ManualClock } from "@hebra/core";
import { createFlags, createRouter, staticProvider } from "@hebra/flags";
import {
  createCollector,
  createRolloutController,
  createRolloutService,
  memoryRolloutStore,
  rolloutPlan,
  rolloutProvider,
  verifyEvidence,
} from "@hebra/flags/rollout";
import { scriptedReactor, type ScriptedStep } from "@hebra/reactor";
import { createEngine, defineAction, defineThread, type TurnHandle } from "@hebra/thread";
import { memoryStore } from "@hebra/thread/store/memory";
import assert from "node:assert/strict";
import { test } from "vitest";
import * as z from "zod";

const FLAG = "engine-v2";
const TURNS = 5;
const SESSIONS = 20;

/** How an engine's turn goes. `turn` counts from 0 in its session. */
interface Behaviour {
  readonly ms?: (turn: number) => number;
  readonly costUsd?: (turn: number) => number;
  readonly fails?: boolean;
  readonly actionFails?: boolean;
  readonly incomplete?: boolean;
}

/** A real engine over a store of its own, whose model plays a script and takes its time on the test's clock. */
function engineOf(name: string, clock: ManualClock, behaviour: Behaviour) {
  const { ms = () => 200, costUsd = () => 0.002 } = behaviour;
  let current = 0;
  const definition = defineThread({
    name,
    actions: {
      look_up: defineAction({
        description: "Looks an order up.",
        input: z.object({ number: z.string() }),
        effect: "read",
        execute: ({ number }) => {
          if (behaviour.actionFails === true)
            throw new HebraError("UNREACHABLE", "The orders are away.", { retryable: false });
          return { number };
        },
      }),
    },
    reactor: scriptedReactor({
      steps: [
        { actions: [{ name: "look_up", input: { number: "A-7" } }] },
        async (): Promise<ScriptedStep> => {
          const turn = current;
          await clock.advance(ms(turn));
          if (behaviour.fails === true)
            return { error: new HebraError("REACTOR_FAILED", "The model is down.", { retryable: false }) };
          const usage = { inputTokens: 50, outputTokens: 10, costUsd: costUsd(turn) };
          return {
            text: "It has shipped.",
            usage,
            ...(behaviour.incomplete === true ? { finish: "length" as const } : {}),
          };
        },
      ],
    }),
  });
  const engine = createEngine({ store: memoryStore(), threads: [definition] });
  return {
    react(session: string, turn: number): Promise<TurnHandle> {
      current = turn;
      return engine.react(
        definition,
        { id: `${session}-${turn}`, text: `turn ${turn}` },
        { address: { key: session } },
      );
    },
    close: () => engine.close(),
  };
}

/** The wiring of the README, between two real engines, with sessions of five turns each. */
async function rollOut(next: Behaviour, until = /full|rolledBack/) {
  const clock = createManualClock(Date.UTC(2026, 2, 2));
  const store = memoryRolloutStore();
  const service = createRolloutService({ store, clock });
  const controller = createRolloutController({ service, clock });
  const flags = createFlags({
    providers: [rolloutProvider({ store, clock }), staticProvider({ flags: {}, rollouts: { [FLAG]: { version: 1 } } })],
    clock,
  });
  await flags.ready();
  const stop = flags.subscribe(() => {});
  const collector = createCollector({ store, clock, flushMs: 0 });
  const router = createRouter({ flags, clock, observer: collector.observer });
  const engines = { legacy: engineOf("old", clock, {}), next: engineOf("new", clock, next) };
  const plan = rolloutPlan({
    owner: "team-threads",
    shadow: { evidence: [], leastMs: 0, minCompared: 0, automatic: true },
    steps: [{ percent: 50, observeMs: 1_200_000, minSessions: 40, automatic: true }],
    full: { evidence: [], approvals: [], observeMs: 0, automatic: true },
    limits: { required: ["errors", "latency", "cost"] },
    warmUpMs: 0,
  });
  await service.act(FLAG, { event: "start", by: "ana", reason: "ready", plan });
  for (const event of ["advance", "advance"] as const) await service.act(FLAG, { event, by: "ana", reason: "go" });
  await clock.advance(300_000);

  let newSessions = 0;
  let phase = "";
  for (let block = 0; block < 30 && !until.test(phase); block++) {
    const end = clock.now() + 300_000;
    for (let at = 0; at < SESSIONS; at++) {
      const session = `s${block}-${at}`;
      for (let turn = 0; turn < TURNS; turn++) {
        const handle = await router.route(
          FLAG,
          { session },
          {
            legacy: () => engines.legacy.react(session, turn),
            next: () => engines.next.react(session, turn),
            withoutHandover: true,
          },
        );
        await handle.result;
      }
      if ((await router.assignment(FLAG, session))?.mode === "new") newSessions++;
    }
    await clock.advance(Math.max(0, end - clock.now()));
    await collector.flush();
    phase = (await controller.tick())[0]!.phase;
    await clock.advance(1);
  }
  const evidence = await store.evidence(FLAG);
  verifyEvidence(evidence, (await store.read(FLAG))!.head);
  stop();
  router.close();
  await Promise.all([collector.close(), flags.close(), engines.legacy.close(), engines.next.close()]);
  const last = evidence.at(-1)!;
  return {
    phase,
    newSessions,
    cause: last.cause.kind === "guard" ? last.cause.guard : last.cause.kind,
    reason: last.reason,
  };
}

test(
  "a rollout between two healthy engines goes to the whole traffic by itself [FL-1]",
  { timeout: 120_000 },
  async () => {
    const { phase, reason } = await rollOut({});
    assert.equal(phase, "full", reason);
  },
);

for (const [what, behaviour] of [
  ["turn", { fails: true }],
  ["action call", { actionFails: true }],
] as const) {
  test(
    `an engine whose every ${what} fails is rolled back within a handful of sessions [FL-1]`,
    { timeout: 120_000 },
    async () => {
      const { phase, newSessions, reason } = await rollOut(behaviour);
      assert.equal(phase, "rolledBack(canary(0))", reason);
      assert.ok(newSessions <= 20, `${newSessions} sessions`);
    },
  );
}

for (const [what, behaviour, guard] of [
  ["ends every turn without its answer", { incomplete: true }, "incomplete"],
  ["is three times slower from the second turn on", { ms: (turn: number) => (turn === 0 ? 200 : 600) }, "latency"],
  [
    "is three times dearer from the second turn on",
    { costUsd: (turn: number) => (turn === 0 ? 0.002 : 0.006) },
    "cost",
  ],
] as const) {
  const ids = guard === "incomplete" ? "[FL-1]" : "[FL-1] [FL-5]";
  test(`a rollout of an engine that ${what} goes no further ${ids}`, { timeout: 120_000 }, async () => {
    const { phase, cause, reason } = await rollOut(behaviour, /full|rolledBack|paused/);
    assert.match(phase, /^(paused|rolledBack)\(canary\(0\)\)$/, reason);
    assert.equal(cause, guard, reason);
  });
}
