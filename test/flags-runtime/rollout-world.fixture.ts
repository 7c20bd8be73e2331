import { createManualClock } from "@hebra/core";
import { memoryIncidents } from "@hebra/flags/incident";
import {
  createRolloutController,
  createRolloutService,
  replayEvidence,
  rolloutPlan,
  verifyEvidence,
} from "@hebra/flags/rollout";
import { eventually } from "@hebra/test-servers/eventually";
import type { Cause } from "./causes.fixture.ts";
import { losing, newDefinition, oldEngine, saying } from "./engines.fixture.ts";
import { deploy, FLAG, type Deployment, type Form } from "./forms.fixture.ts";

const TURNS = 3;
const SESSIONS = 20;
const BLOCK_MS = 300_000;
/** A deployment that has not decided by then is not going to. */
const MOST_BLOCKS = 24;

const plan = rolloutPlan({
  owner: "team-threads",
  shadow: { evidence: [], leastMs: 0, minCompared: 0, automatic: true },
  steps: [{ percent: 50, observeMs: 5_400_000, minSessions: 20, automatic: true }],
  full: { evidence: [], approvals: [], observeMs: 0, automatic: true },
  limits: { required: ["errors", "latency", "cost", "persistence"], criticalOperations: { pay: 10 } },
  warmUpMs: 0,
});

/** How a rollout over a deployment ended. */
export interface Ended {
  readonly phase: string;
  /** Sessions of the new arm until then. */
  readonly newSessions: number;
  /** The guard that moved it, or what else did. */
  readonly cause: string;
  readonly reason: string;
  /** Kinds of the incidents that are open. */
  readonly incidents: readonly string[];
  readonly postmortems: number;
  /** Sessions of the new arm whose history in the old engine is not whole after one more turn there. */
  readonly broken: readonly string[];
}

/**
 * Runs one rollout over a deployment: real servers, and a clock of the test's for the windows.
 *
 * @param until - the phase in which it has ended
 */
export async function rollOut(form: Form, cause: Cause, until = /full|rolledBack|paused/): Promise<Ended> {
  const clock = createManualClock(Date.UTC(2026, 2, 2));
  const incidents = memoryIncidents();
  const old = oldEngine(cause, clock);
  const deployment = await deploy(form, {
    ...{ clock, incidents, legacy: old.legacy },
    definition: newDefinition(cause, clock),
    wrap: (store) => losing(store, cause),
  });
  try {
    const { rollouts, processes } = deployment;
    const service = createRolloutService({ store: rollouts, clock, incidents });
    const controller = createRolloutController({ service, clock });
    await service.act(FLAG, { event: "start", by: "ana", reason: "ready", plan });
    for (const event of ["advance", "advance"] as const) await service.act(FLAG, { event, by: "ana", reason: "go" });
    await follow(deployment);
    await clock.advance(BLOCK_MS);

    const asked = new Map<string, string[]>();
    const onNew = () => new Set(processes.flatMap(({ seen }) => [...seen.newSessions]));
    let phase = "";
    for (let block = 0; block < MOST_BLOCKS && !until.test(phase); block++) {
      const end = clock.now() + BLOCK_MS;
      for (let at = 0; at < SESSIONS; at++) {
        const session = `s${block}-${at}`;
        for (let turn = 0; turn < TURNS; turn++) await say(deployment, asked, session, turn);
      }
      await clock.advance(Math.max(0, end - clock.now()));
      for (const { flush } of processes) await flush();
      phase = (await controller.tick())[0]!.phase;
      await clock.advance(1);
    }
    await follow(deployment);
    const newSessions = onNew();
    const broken: string[] = [];
    if (phase.startsWith("rolledBack"))
      for (const session of newSessions) {
        await say(deployment, asked, session, TURNS);
        const told = old.texts(session).filter((_, index) => index % 2 === 0);
        if (told.join("\n") !== asked.get(session)!.join("\n")) broken.push(`${session}: ${told.join(" | ")}`);
      }
    const state = (await rollouts.read(FLAG))!;
    const evidence = await rollouts.evidence(FLAG);
    verifyEvidence(evidence, state.head);
    replayEvidence(evidence);
    const last = evidence.at(-1)!;
    return {
      phase,
      newSessions: newSessions.size,
      cause: last.cause.kind === "guard" ? last.cause.guard : last.cause.kind,
      reason: last.reason,
      incidents: (await incidents.list({})).map(({ kind }) => kind),
      postmortems: state.postmortems.length,
      broken,
    };
  } finally {
    await deployment.close();
  }
}

let sent = 0;

/** One turn, until its reply is there and everything about it was reported. */
async function say(
  { channel, processes }: Deployment,
  asked: Map<string, string[]>,
  session: string,
  turn: number,
): Promise<void> {
  const total = (what: "finished" | "verified") => processes.reduce((sum, { seen }) => sum + seen[what], 0);
  const before = { finished: total("finished"), verified: total("verified"), replies: channel.replies.length };
  const text = saying(session, turn);
  asked.set(session, [...(asked.get(session) ?? []), text]);
  await channel.publish({ id: `m${++sent}`, chat: session, session, text });
  await channel.received(before.replies + 1);
  const reported = async (what: "finished" | "verified") => {
    while (total(what) === before[what]) await Promise.race(processes.map(({ seen }) => seen.next()));
  };
  await reported("finished");
  const { mode } = (await processes[0]!.router.assignment(FLAG, session, "default"))!;
  if (mode === "new") await reported("verified");
}

/** Waits until every process has the flag as the rollout has it. */
async function follow({ processes, rollouts }: Deployment): Promise<void> {
  const { version } = (await rollouts.read(FLAG)) as { version: number };
  await eventually(
    () => processes.every(({ flags }) => (flags.describe(FLAG)?.version ?? 0) >= version),
    "every process follows the flag",
  );
}
