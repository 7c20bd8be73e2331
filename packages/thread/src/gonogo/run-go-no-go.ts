import { createIdGenerator, errorMessage, HebraError, systemClock, type Clock } from "@hebra/core";
import type { GoNoGoBar, GoNoGoCheck, GoNoGoReport } from "./check.ts";
import { standardChecks } from "./checks.ts";
import type { GoNoGoHost } from "./host.ts";

/** How {@link runGoNoGo} runs. */
export interface GoNoGoOptions {
  host: GoNoGoHost;
  /** Checks of the host's own, after the standard ones. */
  checks?: readonly GoNoGoCheck[];
  /** Whether the standard checks are run: not where a host can only be reached from outside. @defaultValue true */
  standard?: boolean;
  /** Told of each bar as it is measured. */
  onBar?(name: string, bar: GoNoGoBar): void;
  clock?: Clock;
}

/**
 * Decides whether a rollout may go on: plays a session on the new engine, checks every row of it, the way without the
 * flag,
 * old conversations, resumption and traces. One bar that does not hold, or cannot be measured, is a no.
 *
 * @throws HebraError `INVALID_OPTIONS` for two checks of one name, or none at all.
 *
 * @example
 * ```ts
 * import { runGoNoGo } from "@hebra/thread/testing";
 *
 * const { ok } = await runGoNoGo({ host: { name: "nothing" } });
 * console.log(ok); // false: nothing could be measured
 * ```
 */
export async function runGoNoGo({
  host,
  checks = [],
  standard = true,
  onBar,
  clock = systemClock,
}: GoNoGoOptions): Promise<GoNoGoReport> {
  const run = createIdGenerator()();
  const all = [...(standard ? standardChecks(host, (name) => `go-no-go-${name}-${run}`) : []), ...checks];
  const double = all.find(({ bar }, i) => all.findIndex((other) => other.bar === bar) !== i);
  if (double !== undefined) throw new HebraError("INVALID_OPTIONS", `runGoNoGo: two checks are called ${double.bar}.`);
  if (all.length === 0)
    throw new HebraError("INVALID_OPTIONS", "runGoNoGo: without a check there is nothing to decide; pass `checks`.");

  const report: GoNoGoReport = { host: host.name, at: clock.now(), phases: [], verdict: {}, ok: true };
  for (const name of new Set(all.map(({ phase }) => phase))) {
    const start = clock.monotonic();
    const mine = all.filter(({ phase }) => phase === name);
    for (const check of mine) {
      const bar = await measure(check);
      report.verdict[check.bar] = bar;
      onBar?.(check.bar, bar);
    }
    const ok = mine.every(({ bar }) => report.verdict[bar]!.ok);
    report.phases.push({ name, ok, ms: Math.round(clock.monotonic() - start), bars: mine.map(({ bar }) => bar) });
  }
  report.ok = report.phases.every(({ ok }) => ok);
  return report;
}

async function measure({ bound, relation, unit, measure: take }: GoNoGoCheck): Promise<GoNoGoBar> {
  try {
    const { value, note } = await take();
    const ok = value !== null && (relation === "<=" ? value <= bound : value >= bound);
    return { value, bound, unit, ok, ...(note === undefined ? {} : { note }) };
  } catch (error) {
    return { value: null, bound, unit, ok: false, note: errorMessage(error) };
  }
}
