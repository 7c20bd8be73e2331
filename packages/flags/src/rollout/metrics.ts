import { createTelemetry, type Telemetry } from "@hebra/core";
import type { FlagContext } from "../evaluate/types.ts";
import type { RouteObserver } from "../route/router.ts";
import type { Notifier } from "./notifier.ts";
import type { RolloutStatus } from "./service.ts";

/** The names of the metrics; the alert rules and the dashboard in `deploy/flags` are written against them. */
export const flagMetrics = {
  /** Counter by flag, arm, operation and outcome (`ok`, `failed`, `incomplete`, `stopped`, `unknown`, `fell-back`). */
  turns: "hebra.flags.turns",
  /** Histogram of seconds by flag, arm and operation. */
  turnDuration: "hebra.flags.turn.duration",
  /** Counter by flag and type: what moved or switched a flag. */
  changes: "hebra.flags.changes",
  /** Gauge by flag: the share of sessions on the new engine, 0 … 1. */
  share: "hebra.flags.rollout.share",
  /** Gauge by flag and guard: natural logarithm of the evidence against the new arm. */
  evidence: "hebra.flags.guard.log_e",
  /** Gauge by flag: postmortems that are overdue. */
  overdue: "hebra.flags.postmortems.overdue",
} as const;

/** Options of {@link createFlagMetrics}. */
export interface FlagMetricsOptions {
  /** @defaultValue core's, under the name of this package */
  readonly telemetry?: Pick<Telemetry, "counter" | "histogram" | "gauge">;
  /** Which operation a turn is, for the labels: a handful of values. @defaultValue "turn" */
  readonly operation?: (context: FlagContext) => string;
}

/** Metrics of turns, changes and rollouts. */
export interface FlagMetrics {
  /** For `createRouter`; see {@link combineObservers}. */
  readonly observer: Required<Pick<RouteObserver, "finished">>;
  /** For the service and the controller. */
  readonly notifier: Notifier;
  /** What a rollout's status says; call it after a tick. @param now - milliseconds since the epoch */
  record(flag: string, status: RolloutStatus, now: number): void;
}

/**
 * Metrics with labels of low cardinality only: no session, no org. Without OpenTelemetry nothing is recorded.
 *
 * @example
 * ```ts
 * import { createFlags, createRouter, staticProvider } from "@hebra/flags";
 * import { combineObservers, createCollector, createFlagMetrics, memoryRolloutStore } from "@hebra/flags/rollout";
 *
 * const flags = createFlags({ provider: staticProvider({ flags: {} }) });
 * const collector = createCollector({ store: memoryRolloutStore() });
 * const metrics = createFlagMetrics();
 * const router = createRouter({ flags, observer: combineObservers(collector.observer, metrics.observer) });
 * router.close();
 * await collector.close();
 * await flags.close();
 * ```
 */
export function createFlagMetrics(options: FlagMetricsOptions = {}): FlagMetrics {
  const { telemetry = createTelemetry({ name: "@hebra/flags" }), operation = () => "turn" } = options;
  const turns = telemetry.counter(flagMetrics.turns, { unit: "{turn}", description: "Turns served, by outcome." });
  const durations = telemetry.histogram(flagMetrics.turnDuration, {
    unit: "s",
    description: "Duration of a turn.",
    boundaries: [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64],
  });
  const changes = telemetry.counter(flagMetrics.changes, {
    unit: "{change}",
    description: "Moves of rollouts, kills and overdue postmortems.",
  });
  const share = telemetry.gauge(flagMetrics.share, { unit: "1", description: "Share of sessions on the new engine." });
  const evidence = telemetry.gauge(flagMetrics.evidence, { unit: "1", description: "Log e-value of each guard." });
  const overdue = telemetry.gauge(flagMetrics.overdue, {
    unit: "{postmortem}",
    description: "Postmortems past their due time.",
  });
  return {
    observer: {
      finished({ flag, arm, mode, status, fellBack, latencyMs, context }) {
        const labels = {
          flag,
          arm: arm ?? "none",
          engine: mode === "new" ? "new" : "legacy",
          operation: operation(context),
        };
        turns.add(1, { ...labels, outcome: fellBack ? "fell-back" : status });
        durations.record(latencyMs / 1_000, labels);
      },
    },
    notifier: ({ flag, type }) => changes.add(1, { flag, type }),
    record(flag, status, now) {
      share.record(status.share, { flag });
      for (const { guard, values } of status.report.verdicts)
        if (values["logE"] !== undefined) evidence.record(values["logE"], { flag, guard });
      overdue.record(
        status.state.postmortems.filter(({ closedAt, dueAt }) => closedAt === undefined && dueAt < now).length,
        { flag },
      );
    },
  };
}

/** Several observers as one; each hears everything, whatever another throws. */
export function combineObservers(...observers: readonly RouteObserver[]): RouteObserver {
  const tell =
    <K extends keyof RouteObserver>(name: K) =>
    (event: Parameters<NonNullable<RouteObserver[K]>>[0]): void => {
      const failures: unknown[] = [];
      for (const observer of observers) {
        try {
          (observer[name] as ((event: unknown) => void) | undefined)?.(event);
        } catch (error) {
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    };
  return {
    exposed: tell("exposed"),
    finished: tell("finished"),
    verified: tell("verified"),
    cut: tell("cut"),
    breakerOpened: tell("breakerOpened"),
    breakerClosed: tell("breakerClosed"),
    warned: tell("warned"),
  };
}
