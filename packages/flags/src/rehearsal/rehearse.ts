import { digest, errorMessage, sleep, systemClock, type Clock } from "@hebra/core";
import { createFlags } from "../client/create-flags.ts";
import type { Incident } from "../incident/incident.ts";
import { memoryIncidents } from "../incident/stores.ts";
import { createIncidentWatch } from "../incident/watch.ts";
import { staticProvider } from "../provider/static.ts";
import { createCollector } from "../rollout/collector.ts";
import { createRolloutController } from "../rollout/controller.ts";
import { combineObservers } from "../rollout/metrics.ts";
import { rolloutPlan } from "../rollout/plan.ts";
import { rolloutProvider } from "../rollout/provider.ts";
import { createRolloutService } from "../rollout/service.ts";
import { memoryRolloutStore } from "../rollout/store/memory.ts";
import { createRouter } from "../route/create-router.ts";
import { outcomeOfAnswer } from "../route/outcome.ts";
import type { Outcome, RouteHandlers } from "../route/router.ts";
import { inject, type Injected, type RehearsalFault } from "./faults.ts";
import { parseRehearsal, type RehearsalOptions } from "./options.ts";

/** What a rehearsal found: evidence for the item `rollback-rehearsal`. */
export interface RehearsalReport {
  readonly kind: "rollback-rehearsal";
  /** ISO 8601 instant at which it began. */
  readonly at: string;
  readonly flag: string;
  readonly fault: RehearsalFault;
  readonly environment: string;
  /** Unique to the run. */
  readonly run: string;
  /** Sessions that the new engine had, those that failed on it, and those that went back with their history. */
  readonly sessions: { readonly new: number; readonly legacy: number; readonly struck: number; readonly back: number };
  /** Milliseconds. */
  readonly timings: {
    /** Of the canary before the fault. */
    readonly canaryMs: number;
    /** From the first turn under the fault to the rollback. */
    readonly rollbackMs: number;
    /** From the rollback to the last session's first turn on the old engine. */
    readonly handBackMs: number;
    readonly totalMs: number;
  };
  /** The guard that rolled back. */
  readonly guard: string | null;
  /** What the fault left behind. */
  readonly incident: Incident | null;
  readonly problems: readonly string[];
  readonly ok: boolean;
  /** SHA-256 over the canonical JSON of everything else. */
  readonly digest: string;
}

/** Length of the collector's blocks: sessions count from the first block that begins in the canary. */
const BLOCK_MS = 50;

/** The rollout that is rehearsed: real, and its own, so that the deployment's stays where it is. */
function openRollout(
  flag: string,
  clock: Clock,
  onOutcome: (outcome: Outcome) => void,
  onCut: (session: string) => void,
) {
  const store = memoryRolloutStore();
  const incidents = memoryIncidents();
  const watch = createIncidentWatch({ sink: incidents, retryMs: 0, clock, criticalAttempts: 5 });
  const collector = createCollector({ store, clock, blockMs: BLOCK_MS, flushMs: 0 });
  const service = createRolloutService({ store, clock, incidents });
  const controller = createRolloutController({ service, clock });
  const rollouts = { [flag]: { version: 1 } };
  const providers = [rolloutProvider({ store, clock }), staticProvider({ flags: {}, rollouts })];
  const flags = createFlags({ providers, clock });
  const stop = flags.subscribe(() => {});
  const seen = {
    finished: onOutcome,
    cut: ({ session, handedOver }: { session: string; handedOver: boolean }) => {
      if (handedOver) onCut(session);
    },
  };
  const observer = combineObservers(collector.observer, watch.observer, seen);
  const router = createRouter({ flags, observer, clock, breaker: false, logger: { warn() {} } });
  async function canary(): Promise<void> {
    await flags.ready();
    const plan = rolloutPlan({
      owner: "rehearsal",
      shadow: { evidence: [], leastMs: 0, minCompared: 0 },
      steps: [{ percent: 50, automatic: false }],
      full: { evidence: [] },
      warmUpMs: 0,
      limits: { latencyCeilingMs: 600_000, disabled: ["sample-ratio", "silence"] },
    });
    await service.act(flag, { event: "start", by: "rehearsal", reason: "a rehearsal begins", plan });
    for (const reason of ["to shadow", "to the canary"])
      await service.act(flag, { event: "advance", by: "rehearsal", reason });
  }
  async function close(): Promise<void> {
    router.close();
    stop();
    await collector.close();
    await watch.close();
    await flags.close();
  }
  return { store, incidents, watch, collector, service, controller, router, canary, close };
}

/**
 * Performs a rollback: a canary with synthetic sessions over the deployment's engines, a fault on the new one, the
 * guards' rollback and the hand-back of every session, all with the real router, collector, service and controller, in
 * a rollout of its own. The deployment's rollout stays where it is.
 *
 * @returns the report; `ok: false` with `problems` when a step did not happen
 * @throws HebraError `INVALID_OPTIONS`; `UNSUPPORTED` for a forced error in production
 */
export async function rehearseRollback(options: RehearsalOptions): Promise<RehearsalReport> {
  const parsed = parseRehearsal(options);
  const { flag, fault, environment, context, sessions, turns } = parsed;
  const clock = parsed.clock ?? systemClock;
  const began = clock.now();
  // Before anything else: a fault that is refused must leave nothing behind.
  const built = await inject(fault, environment);
  const problems: string[] = [];
  const onNew = new Set<string>();
  const onLegacy = new Set<string>();
  const struck = new Set<string>();
  const back = new Set<string>();
  let injected: Injected | undefined;
  let removeOwn: (() => void | Promise<void>) | undefined;
  const rollout = openRollout(
    flag,
    clock,
    ({ session, mode, status, calls }) => {
      (mode === "new" ? onNew : onLegacy).add(session);
      const failed = status !== "ok" || (calls ?? []).some((call) => !call.ok);
      if (injected !== undefined && mode === "new" && failed) struck.add(session);
      if (injected === undefined && status !== "ok")
        problems.push(`A turn of the ${mode} engine is ${status} without a fault.`);
    },
    (session) => void back.add(session),
  );
  const run = digest([began, process.pid, flag]).slice(0, 12);
  const sessionAt = (at: number) => `rehearsal-${run}-${at}`;

  const judge: RehearsalOptions["outcome"] = async (answer, turn) => {
    const said = (await parsed.outcome?.(answer, turn)) ?? (await outcomeOfAnswer(answer));
    if (fault !== "tool-error" || said === undefined) return said;
    const outcome = typeof said === "string" ? { status: said } : said;
    const ok = turn.mode !== "new" || injected === undefined;
    return {
      ...outcome,
      calls: [...(outcome.calls ?? []).filter((call) => ok || !call.ok), { name: "rehearsal", ok }],
    };
  };
  const handlers: RouteHandlers<unknown, unknown> = {
    legacy: parsed.legacy,
    async next(turn) {
      if (injected !== undefined) await injected.strike();
      return parsed.next(turn);
    },
    handover: parsed.handover,
    outcome: judge,
  };
  const turn = (session: string) =>
    rollout.router.route(flag, { ...context, session }, handlers).catch(() => undefined);
  const phaseOf = async () => (await rollout.store.read(flag))!.phase.name;

  async function serve(from: number, until: () => Promise<boolean>): Promise<void> {
    for (let at = from; at < from + sessions; at++) {
      for (let count = 0; count < turns; count++) await turn(sessionAt(at));
      if (at % 5 === 4 && (await until())) return;
    }
  }

  async function look(): Promise<boolean> {
    await rollout.collector.flush();
    await rollout.controller.tick();
    // A guard may pause first; the split stays, so that it goes on judging.
    return (await phaseOf()) === "rolledBack";
  }

  const timings = { canaryMs: 0, rollbackMs: 0, handBackMs: 0, totalMs: 0 };
  let guard: string | null = null;
  try {
    await rollout.canary();
    await sleep(clock, BLOCK_MS);
    await serve(0, async () => (await look()) || onNew.size >= 10);
    timings.canaryMs = clock.now() - began;
    const before = [...onNew];
    if ((await phaseOf()) !== "canary")
      problems.push(`The rollout left the canary before the fault: ${await phaseOf()}.`);
    else {
      const from = clock.now();
      removeOwn = await parsed.inject?.(fault);
      // A fault of the host strikes by itself.
      injected = parsed.inject === undefined ? built : { strike: async () => undefined, remove: async () => undefined };
      await serve(sessions, look);
      timings.rollbackMs = clock.now() - from;
      ({ guard } = await judged());
      await removeOwn?.();
      removeOwn = undefined;
      injected = undefined;
      if ((await phaseOf()) === "rolledBack") await handBack([...new Set([...before, ...onNew])]);
      else problems.push(`${sessions} sessions under the fault did not roll back: ${(await judged()).reason}`);
    }
  } catch (error) {
    problems.push(`The rehearsal broke off: ${errorMessage(error)}`);
  } finally {
    await Promise.resolve(removeOwn?.()).catch((error: unknown) => problems.push(errorMessage(error)));
    await built.remove();
  }

  async function judged(): Promise<{ readonly guard: string | null; readonly reason: string }> {
    const evidence = await rollout.store.evidence(flag);
    const last = evidence.findLast(({ event }) => event === "rollback");
    const reason = last?.reason ?? (await rollout.service.status(flag)).report.reason;
    return { guard: last?.cause.kind === "guard" ? last.cause.guard : null, reason };
  }

  /** One more turn of each session that the new engine had: the old one must have it, with its history. */
  async function handBack(all: readonly string[]): Promise<void> {
    const from = clock.now();
    onNew.clear();
    for (const session of all) {
      await turn(session);
      if (onNew.has(session)) problems.push(`${session} is still on the new engine after the rollback.`);
      else if (!back.has(session)) problems.push(`${session} was not handed back.`);
      else if (parsed.whole !== undefined && !(await parsed.whole(session)))
        problems.push(`The old engine lacks turns of ${session}.`);
    }
    timings.handBackMs = clock.now() - from;
    for (const session of all) onNew.add(session);
  }

  await rollout.watch.flush();
  const incident = await incidentOf(rollout.incidents, guard, { flag, fault, environment, run });
  await rollout.close();
  timings.totalMs = clock.now() - began;
  if (incident === undefined) problems.push("The fault left no incident.");
  if (incident !== undefined && parsed.incidents !== undefined) await parsed.incidents.write([incident]);
  const content = {
    kind: "rollback-rehearsal" as const,
    at: new Date(began).toISOString(),
    flag,
    fault,
    environment,
    run,
    sessions: { new: onNew.size, legacy: onLegacy.size, struck: struck.size, back: back.size },
    timings,
    guard,
    incident: incident ?? null,
    problems: [...new Set(problems)].slice(0, 20),
    ok: problems.length === 0,
  };
  return { ...content, digest: digest(content) };
}

/** The incident of the fault, as the deployment keeps it: with the decision that it led to. */
async function incidentOf(
  incidents: ReturnType<typeof memoryIncidents>,
  guard: string | null,
  about: { readonly flag: string; readonly fault: string; readonly environment: string; readonly run: string },
): Promise<Incident | undefined> {
  const [found] = [
    ...(await incidents.list({ kind: "failed-turn" })),
    ...(await incidents.list({ kind: "critical-operation" })),
  ];
  if (found === undefined) return undefined;
  const reason = guard === null ? "Nothing rolled back." : `The guard ${guard} rolled the rehearsal back.`;
  const decision =
    guard === null
      ? { action: "none", matched: false, reason }
      : { action: "rollback", matched: true, reason, rule: `guard:${guard}` };
  return { ...found, id: `rehearsal-${about.run}`, kind: "rehearsal", decision, context: { ...about } };
}
