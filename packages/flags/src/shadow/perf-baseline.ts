import { digest, parseOptions, sleep, systemClock, type Clock } from "@hebra/core";
import { createHmac, timingSafeEqual } from "node:crypto";
import { cpus } from "node:os";
import * as z from "zod";

/** One operation under load. */
export interface PerfOperation {
  readonly name: string;
  readonly run: (signal: AbortSignal) => unknown;
  /** Arrivals a second. @defaultValue 50 */
  readonly ratePerSecond?: number;
  /** Absolute limit of the 95th percentile, ms. */
  readonly targetP95Ms?: number;
}

/** Options of {@link perfBaseline}. */
export interface PerfBaselineOptions {
  readonly operations: readonly PerfOperation[];
  /** Of each operation, ms; not counted. @defaultValue 1000 */
  readonly warmupMs?: number;
  /** Of each operation, ms. @defaultValue 10,000 */
  readonly durationMs?: number;
  /** @defaultValue 10,000 */
  readonly timeoutMs?: number;
  /** An earlier report to compare with. */
  readonly baseline?: PerfReport;
  /** Largest growth of the 95th percentile over the baseline's. @defaultValue 0.05 */
  readonly limit?: number;
  /** Largest share of failed and timed-out calls. @defaultValue 0 */
  readonly maxFailureShare?: number;
  /** Signs the report, and checks the baseline's signature. */
  readonly key?: string;
  /** Compare although the baseline comes from another machine class. @defaultValue false */
  readonly otherMachine?: boolean;
  readonly clock?: Clock;
}

/** One operation's figures, ms. A call that timed out counts with the whole time it was given. */
export interface PerfFigures {
  readonly name: string;
  readonly calls: number;
  readonly ok: number;
  readonly failed: number;
  readonly timedOut: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** The baseline's 95th percentile, and how much larger this one is. */
  readonly baselineP95?: number;
  readonly growth?: number;
}

/** The verdict, ready to be stored as evidence and as the next baseline. */
export interface PerfReport {
  readonly kind: "performance-baseline";
  readonly at: string;
  readonly node: string;
  /** Processor model and count: figures of other classes cannot be compared. */
  readonly machine: string;
  readonly operations: readonly PerfFigures[];
  readonly problems: readonly string[];
  readonly ok: boolean;
  /** SHA-256 over everything but the signature. */
  readonly digest: string;
  /** HMAC-SHA-256 of the digest, when a key was given. */
  readonly signature?: string;
}

const schema = z.strictObject({
  operations: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        run: z.custom<PerfOperation["run"]>((value) => typeof value === "function", "must be a function"),
        ratePerSecond: z.number().positive().optional(),
        targetP95Ms: z.number().positive().optional(),
      }),
    )
    .min(1),
  warmupMs: z.number().min(0).default(1_000),
  durationMs: z.number().positive().default(10_000),
  timeoutMs: z.number().positive().default(10_000),
  baseline: z
    .custom<PerfReport>(
      (value) => (value as PerfReport | null)?.kind === "performance-baseline",
      "must be a performance report",
    )
    .optional(),
  limit: z.number().min(0).default(0.05),
  maxFailureShare: z.number().min(0).max(1).default(0),
  key: z.string().min(1).optional(),
  otherMachine: z.boolean().default(false),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

const sign = (key: string, text: string): string => createHmac("sha256", key).update(text).digest("hex");

/**
 * Measures operations under an open load: calls arrive on a schedule whether or not earlier ones have ended, and each
 * is timed from when it was due, so
 * that a stall is seen by everybody it would have held up (G. Tene's "coordinated omission").
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { perfBaseline } from "@hebra/flags/shadow";
 *
 * const report = await perfBaseline({ operations: [{ name: "noop", run: () => 1, targetP95Ms: 500 }], warmupMs: 0,
 * durationMs: 100 });
 * console.log(report.operations[0]?.failed); // 0
 * ```
 */
export async function perfBaseline(options: PerfBaselineOptions): Promise<PerfReport> {
  const parsed = parseOptions("perfBaseline", schema, options);
  const { baseline, key, limit } = parsed;
  const clock = parsed.clock ?? systemClock;
  const machine = `${cpus()[0]?.model.trim() ?? "unknown"} × ${cpus().length}`;
  const problems = baseline === undefined ? [] : baselineProblems(baseline, machine, key, parsed.otherMachine);
  const comparable = problems.length === 0;
  const operations: PerfFigures[] = [];
  for (const operation of options.operations) {
    await load(operation, parsed.warmupMs, parsed.timeoutMs, clock);
    const figures = summarise(operation.name, await load(operation, parsed.durationMs, parsed.timeoutMs, clock));
    const before = comparable ? baseline?.operations.find((one) => one.name === operation.name) : undefined;
    const growth = before === undefined ? undefined : figures.p95 / before.p95 - 1;
    operations.push({ ...figures, ...(before === undefined ? {} : { baselineP95: before.p95, growth: growth! }) });
    const failures = figures.calls === 0 ? 1 : (figures.failed + figures.timedOut) / figures.calls;
    if (failures > parsed.maxFailureShare)
      problems.push(
        `${operation.name}: ${figures.failed} calls failed and ${figures.timedOut} timed out of ${figures.calls}.`,
      );
    if (operation.targetP95Ms !== undefined && figures.p95 > operation.targetP95Ms)
      problems.push(
        `${operation.name}: p95 ${figures.p95.toFixed(1)} ms is over its target of ${operation.targetP95Ms} ms.`,
      );
    if (growth !== undefined && growth > limit)
      problems.push(
        `${operation.name}: p95 ${figures.p95.toFixed(1)} ms is ${(growth * 100).toFixed(1)} % over the baseline's ${before!.p95.toFixed(1)} ms.`,
      );
    if (comparable && baseline !== undefined && before === undefined)
      problems.push(`${operation.name}: the baseline does not know this operation.`);
  }
  const report = {
    kind: "performance-baseline" as const,
    at: new Date(clock.now()).toISOString(),
    node: process.version,
    machine,
    operations,
    problems,
    ok: problems.length === 0,
  };
  const hash = digest(report);
  return { ...report, digest: hash, ...(key === undefined ? {} : { signature: sign(key, hash) }) };
}

function baselineProblems(
  baseline: PerfReport,
  machine: string,
  key: string | undefined,
  otherMachine: boolean,
): string[] {
  const { digest: hash, signature, ...rest } = baseline;
  if (digest(rest) !== hash) return ["The baseline was changed after it was written."];
  if (key !== undefined) {
    const [wanted, given] = [Buffer.from(sign(key, hash)), Buffer.from(signature ?? "")];
    if (wanted.length !== given.length || !timingSafeEqual(wanted, given))
      return ["The baseline's signature does not fit the key."];
  }
  if (!otherMachine && baseline.machine !== machine)
    return [`The baseline comes from another machine class (${baseline.machine}).`];
  return [];
}

interface Call {
  readonly outcome: "ok" | "failed" | "timedOut";
  readonly ms: number;
}

async function load(
  { run, ratePerSecond = 50 }: PerfOperation,
  durationMs: number,
  timeoutMs: number,
  clock: Clock,
): Promise<Call[]> {
  const gap = 1_000 / ratePerSecond;
  const began = clock.monotonic();
  const calls: Promise<Call>[] = [];
  for (let at = 0; at * gap < durationMs; at++) {
    const due = began + at * gap;
    const wait = due - clock.monotonic();
    if (wait > 0) await sleep(clock, wait);
    calls.push(call(run, due, timeoutMs, clock));
  }
  return Promise.all(calls);
}

async function call(run: PerfOperation["run"], due: number, timeoutMs: number, clock: Clock): Promise<Call> {
  const limit = new AbortController();
  const over = new Promise<"timedOut">((resolve) =>
    limit.signal.addEventListener("abort", () => resolve("timedOut"), { once: true }),
  );
  const cancel = clock.after(timeoutMs, () => limit.abort());
  const work = (async () => run(limit.signal))().then(
    () => "ok" as const,
    () => "failed" as const,
  );
  const outcome = await Promise.race([work, over]);
  cancel();
  return { outcome, ms: clock.monotonic() - due };
}

function summarise(name: string, calls: readonly Call[]): PerfFigures {
  const sorted = calls.map((one) => one.ms).sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  const count = (outcome: Call["outcome"]) => calls.filter((one) => one.outcome === outcome).length;
  return {
    name,
    calls: calls.length,
    ok: count("ok"),
    failed: count("failed"),
    timedOut: count("timedOut"),
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  };
}
