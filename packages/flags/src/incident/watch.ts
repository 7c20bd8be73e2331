import {
  createTelemetry,
  digest,
  errorMessage,
  errorSignature,
  HebraError,
  parseOptions,
  systemClock,
  type Clock,
  type Redactor,
  type Telemetry,
} from "@hebra/core";
import * as z from "zod";
import type { Outcome, RouteObserver } from "../route/router.ts";
import { createIncidentAggregator } from "./aggregate.ts";
import { createDecisionTable, type DecisionTable } from "./decision-table.ts";
import type { IncidentContext, IncidentKind, IncidentSink } from "./incident.ts";
import { createIncidentRecorder, type IncidentRecorder } from "./recorder.ts";
import type { IncidentSpool } from "./spool.ts";
import { criticalTrigger, unknownGrowthTrigger } from "./triggers.ts";

/** Options of {@link createIncidentWatch}. */
export interface IncidentWatchOptions {
  /** Shared by all processes: `fileIncidents`, `sqliteIncidents`, `postgresIncidents`, or the host's. */
  readonly sink: IncidentSink;
  /** @defaultValue a table without rules */
  readonly table?: DecisionTable;
  /** Keeps incidents while the sink is away. Absent: they wait in memory and end with the process. */
  readonly spool?: IncidentSpool;
  /** Versions of the packages that take part. @defaultValue \{\} */
  readonly versions?: Readonly<Record<string, string>>;
  /** Stands before every context. @defaultValue core's */
  readonly redactor?: Redactor;
  /** The same failure of the same flag, engine and tenant opens one incident in so many ms. @defaultValue 3,600,000 */
  readonly repeatMs?: number;
  /** Failed calls in a row that open an incident, by action. @defaultValue \{\} */
  readonly operations?: Readonly<Record<string, number>>;
  /** The same for actions that `operations` does not name. @defaultValue 10 */
  readonly criticalAttempts?: number;
  /** Windows in which the growth of unknown errors is looked for, ms. @defaultValue 300,000 */
  readonly windowMs?: number;
  /** Time between two attempts to reach the sink, ms; 0 only when told to. @defaultValue 10,000 */
  readonly retryMs?: number;
  /** Told what went wrong; watching never throws. @defaultValue nobody */
  readonly onError?: (error: unknown) => void;
  /** Where the trace id comes from when the outcome has none. @defaultValue core's, under the name of this package */
  readonly telemetry?: Pick<Telemetry, "inject">;
  readonly clock?: Clock;
}

/** Opens incidents from what the router tells. */
export interface IncidentWatch {
  /** For `createRouter`; `combineObservers` joins it with the collector's. */
  readonly observer: Required<Pick<RouteObserver, "finished">>;
  /** For errors that the host meets itself. */
  readonly recorder: IncidentRecorder;
  /** Hands over what waits. @returns whether nothing is left */
  flush(): Promise<boolean>;
  /** Flushes what can be and leaves no timer. */
  close(): Promise<void>;
}

const has = <T>(method: keyof T) =>
  z.custom<T>((value) => typeof (value as T | null)?.[method] === "function", `must have ${String(method)}()`);
const schema = z.strictObject({
  sink: has<IncidentSink>("write"),
  table: has<DecisionTable>("decide").optional(),
  spool: has<IncidentSpool>("append").optional(),
  versions: z.record(z.string(), z.string()).default({}),
  redactor: has<Redactor>("redact").optional(),
  repeatMs: z.number().positive().default(3_600_000),
  operations: z.record(z.string(), z.int().min(1)).default({}),
  criticalAttempts: z.int().min(1).default(10),
  windowMs: z.number().positive().default(300_000),
  retryMs: z.number().min(0).default(10_000),
  onError: z
    .custom<(error: unknown) => void>((value) => typeof value === "function", "must be a function")
    .default(() => () => {}),
  telemetry: has<Pick<Telemetry, "inject">>("inject").optional(),
  clock: has<Clock>("now").optional(),
});

/** How many failures and actions are kept in mind; the oldest are forgotten first. */
const MOST = 10_000;

/**
 * Opens incidents by itself: for a failed or incomplete turn with a signature that is new to its flag, engine and
 * tenant, for an action without any success, and when errors that no rule knows become more frequent. The ids follow
 * from what went wrong, so that many processes open one incident of one failure. Rollbacks open theirs through the
 * option `incidents` of `createRolloutService`.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags, createRouter, staticProvider } from "@hebra/flags";
 * import { createIncidentWatch, memoryIncidents } from "@hebra/flags/incident";
 *
 * const incidents = memoryIncidents();
 * const watch = createIncidentWatch({ sink: incidents });
 * const flags = createFlags({ provider: staticProvider({ flags: {}, rollouts: { f: { version: 1 } } }) });
 * const router = createRouter({ flags, observer: watch.observer });
 * const down = () => Promise.reject(new Error("the model is down"));
 * const engines = { legacy: down, next: down, outcome: () => "ok" as const };
 * await router.route("f", { session: "s1", org: "acme" }, engines).catch(() => {});
 * await watch.close();
 * console.log((await incidents.list({ open: true })).length); // 1
 * router.close();
 * await flags.close();
 * ```
 */
export function createIncidentWatch(options: IncidentWatchOptions): IncidentWatch {
  const parsed = parseOptions("createIncidentWatch", schema, options);
  const { sink, spool, versions, redactor, repeatMs, operations, criticalAttempts, windowMs, retryMs, onError } =
    parsed;
  const clock = parsed.clock ?? systemClock;
  const telemetry = parsed.telemetry ?? createTelemetry({ name: "@hebra/flags" });
  const table = parsed.table ?? createDecisionTable([]);
  const recorder = createIncidentRecorder({
    sink,
    table,
    component: "router",
    versions,
    retryMs,
    windowMs,
    onError,
    clock,
    ...(spool === undefined ? {} : { spool }),
    ...(redactor === undefined ? {} : { redactor }),
  });
  const aggregate = createIncidentAggregator({ now: () => clock.now(), windowMs });
  const opened = new Set<string>();
  const failuresInRow = new Map<string, number>();

  /** One incident of the same thing in a stretch of time, whichever processes see it. */
  function open(kind: IncidentKind, outcome: Outcome, what: string, error: unknown, more: object = {}): void {
    const { flag, mode, session, flagVersion, executionId, contextId } = outcome;
    const { org, project } = outcome.context;
    const stretch = Math.floor(outcome.at / repeatMs);
    const id = digest([kind, flag, mode, org ?? null, what, stretch]).slice(0, 32);
    if (opened.has(id)) return;
    forgetOldest(opened);
    opened.add(id);
    const traceId = outcome.traceId ?? traceIdOf(telemetry.inject()["traceparent"]);
    const about: IncidentContext = {
      id,
      kind,
      component: flag,
      flag,
      mode,
      flagVersion,
      ...(session === "" ? {} : { session }),
      ...(org === undefined ? {} : { org }),
      ...(project === undefined ? {} : { project }),
      ...(executionId === undefined ? {} : { executionId }),
      ...(contextId === undefined ? {} : { contextId }),
      ...(traceId === undefined ? {} : { traceId }),
      context: { ...factsOf(outcome), ...more },
    };
    recorder.record(error, about);
  }

  function watchCalls(outcome: Outcome): void {
    for (const { name, ok } of outcome.calls ?? []) {
      const key = `${outcome.flag} ${outcome.mode} ${name}`;
      const attempts = ok ? 0 : (failuresInRow.get(key) ?? 0) + 1;
      failuresInRow.delete(key);
      forgetOldest(failuresInRow);
      if (attempts > 0) failuresInRow.set(key, attempts);
      const least = Object.hasOwn(operations, name) ? operations[name]! : criticalAttempts;
      const { fired, reason } = criticalTrigger({ attempts, successes: 0 }, [], { attempts: least });
      if (attempts === 0 || !fired) continue;
      const message = `The action ${name} has no success in its last calls.`;
      open("critical-operation", outcome, name, new HebraError("ACTION_FAILED", message), { action: name, reason });
    }
  }

  function watchUnknown(outcome: Outcome, signature: ReturnType<typeof errorSignature>): void {
    const component = `${outcome.flag} ${outcome.mode}`;
    const { decision } = table.decide(signature);
    const at = new Date(outcome.at).toISOString();
    aggregate.add({ id: outcome.session, at, decision, signature: { ...signature, component } });
    if (decision.matched) return;
    // The window that is not over yet has a rate of its own making.
    const { fired, reason } = unknownGrowthTrigger(aggregate.windows(component).slice(0, -1));
    const error = { code: "UNKNOWN", message: "Errors that no rule knows become more frequent." };
    if (fired) open("unknown-growth", outcome, "unknown", error, { reason });
  }

  function finished(outcome: Outcome): void {
    watchCalls(outcome);
    const { status, flag, mode } = outcome;
    if (status === "ok") aggregate.success(`${flag} ${mode}`);
    if (status !== "failed" && status !== "incomplete") return;
    const error = outcome.error ?? { code: status.toUpperCase(), message: `The turn is ${status}.` };
    const signature = errorSignature(error, { component: flag });
    open("failed-turn", outcome, signature.fingerprint, error, { message: errorMessage(error) });
    watchUnknown(outcome, signature);
  }

  return {
    observer: {
      finished(outcome) {
        try {
          finished(outcome);
        } catch (error) {
          onError(error);
        }
      },
    },
    recorder,
    flush: () => recorder.flush(),
    close: () => recorder.close(),
  };
}

/** W3C Trace Context, section 3.2. */
const traceIdOf = (traceparent: string | undefined): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? "")?.[1];

function factsOf(outcome: Outcome): object {
  const { status, arm, latencyMs, steps, tokens, cost, fellBack, decision, context } = outcome;
  const { attributes } = context;
  return { status, arm, latencyMs, steps, tokens, cost, fellBack, rule: decision.ruleId, attributes };
}

function forgetOldest(kept: { readonly size: number; keys(): Iterator<string>; delete(key: string): boolean }): void {
  if (kept.size < MOST) return;
  const { value } = kept.keys().next() as { value: string };
  kept.delete(value);
}
