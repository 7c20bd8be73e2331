import { digest, errorMessage, HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";

/** One input that both engines answer. */
export interface ParityCase<I> {
  readonly id: string;
  readonly input: I;
}

/** A field that may differ, declared and dated. */
export interface ParityException {
  /** Path of the field; `[*]` stands for every member of an array. */
  readonly field: string;
  readonly owner: string;
  readonly reason: string;
  /** ISO 8601 date. */
  readonly expires: string;
}

/** Options of {@link validateNoRegression}. */
export interface ValidateNoRegressionOptions<I> {
  readonly cases: readonly ParityCase<I>[];
  readonly legacy: (input: I) => unknown;
  readonly next: (input: I) => unknown;
  /** Largest relative difference of a field. @defaultValue 0.05 */
  readonly limit?: number;
  /** Limits of single fields, by path. */
  readonly limits?: Readonly<Record<string, number>>;
  readonly exceptions?: readonly ParityException[];
  /** Smallest share of cases in which both engines answered. @defaultValue 1 */
  readonly minCoverage?: number;
  /** @defaultValue 1 */
  readonly concurrency?: number;
  readonly clock?: Clock;
}

/** One field over all cases. */
export interface FieldVerdict {
  readonly field: string;
  /** Cases in which either engine had the field, or failed. */
  readonly n: number;
  /** Share of them in which both had it. */
  readonly coverage: number;
  /**
   * Absolute relative differences; 1 where the field is missing on one side, is no number and differs, or an engine
   * failed.
   */
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  readonly mean: number;
  /** Upper 95 % limit of the mean. */
  readonly meanUpper: number;
  readonly limit: number;
  /** Set when a declared exception stands for the field. */
  readonly exception?: string;
  readonly ok: boolean;
}

/** The verdict, ready to be stored as evidence. */
export interface NoRegressionReport {
  readonly kind: "no-regression";
  readonly at: string;
  readonly node: string;
  readonly cases: number;
  readonly answered: number;
  readonly failures: readonly { readonly id: string; readonly engine: "legacy" | "next"; readonly error: string }[];
  readonly coverage: number;
  readonly fields: readonly FieldVerdict[];
  /** Why not, one sentence each; empty when all is well. */
  readonly problems: readonly string[];
  readonly ok: boolean;
  /** SHA-256 over everything else. */
  readonly digest: string;
}

const schema = z.strictObject({
  cases: z.array(z.strictObject({ id: z.string().min(1), input: z.unknown() })),
  legacy: z.custom<(input: never) => unknown>((value) => typeof value === "function", "must be a function"),
  next: z.custom<(input: never) => unknown>((value) => typeof value === "function", "must be a function"),
  limit: z.number().min(0).default(0.05),
  limits: z.record(z.string(), z.number().min(0)).default({}),
  exceptions: z
    .array(
      z.strictObject({
        field: z.string().min(1),
        owner: z.string().min(1),
        reason: z.string().min(1),
        expires: z.string().refine((text) => !Number.isNaN(Date.parse(text)), "not a date"),
      }),
    )
    .default([]),
  minCoverage: z.number().min(0).max(1).default(1),
  concurrency: z.int().positive().default(1),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

type Leaves = Map<string, unknown[]>;
type Answer = { readonly ok: true; readonly leaves: Leaves } | { readonly ok: false; readonly error: string };

/**
 * Runs both engines on the same inputs and compares every field. Differences are absolute: two that cancel out do not.
 * What is missing or failed counts
 * against the new engine, also when both failed: nothing was shown then.
 *
 * @throws HebraError `INVALID_OPTIONS`, also without a case.
 *
 * @example
 * ```ts
 * import { validateNoRegression } from "@hebra/flags/shadow";
 *
 * const report = await validateNoRegression({
 *   cases: [{ id: "one", input: 1 }, { id: "two", input: 2 }],
 *   legacy: (input: number) => ({ price: input * 100 }),
 *   next: (input: number) => ({ price: input * 101 }),
 * });
 * console.log(report.ok, report.fields[0]?.field); // true price
 * ```
 */
export async function validateNoRegression<I>(options: ValidateNoRegressionOptions<I>): Promise<NoRegressionReport> {
  const parsed = parseOptions("validateNoRegression", schema, options);
  const clock = parsed.clock ?? systemClock;
  const { cases } = options;
  if (cases.length === 0)
    throw new HebraError("INVALID_OPTIONS", "validateNoRegression: without a case there is nothing to show.");
  const pairs = await inParallel(cases, parsed.concurrency, async ({ id, input }) => ({
    id,
    legacy: await ask(options.legacy, input),
    next: await ask(options.next, input),
  }));

  const failures = pairs.flatMap(({ id, legacy, next }) =>
    (
      [
        ["legacy", legacy],
        ["next", next],
      ] as const
    ).flatMap(([engine, answer]) => (answer.ok ? [] : [{ id, engine, error: answer.error }])),
  );
  const names = new Set(
    pairs.flatMap(({ legacy, next }) => [
      ...(legacy.ok ? legacy.leaves.keys() : []),
      ...(next.ok ? next.leaves.keys() : []),
    ]),
  );
  const today = clock.now();
  const exceptions = new Map(
    parsed.exceptions.filter((one) => Date.parse(one.expires) > today).map((one) => [one.field, one]),
  );
  const fields = [...names]
    .sort()
    .map((field) => judge(field, pairs, parsed.limits[field] ?? parsed.limit, exceptions.get(field)));
  const answered = pairs.filter(({ legacy, next }) => legacy.ok && next.ok).length;
  const coverage = answered / cases.length;
  const problems = [
    ...(coverage < parsed.minCoverage
      ? [
          `Both engines answered ${answered} of ${cases.length} cases; ${(parsed.minCoverage * 100).toFixed(1)} % is needed.`,
        ]
      : []),
    ...parsed.exceptions
      .filter((one) => Date.parse(one.expires) <= today)
      .map((one) => `The exception of ${one.owner} for ${one.field} expired on ${one.expires}.`),
    ...fields
      .filter((one) => !one.ok)
      .map(
        (one) =>
          `${one.field}: p95 ${one.p95.toFixed(4)}, mean up to ${one.meanUpper.toFixed(4)}, coverage ${(one.coverage * 100).toFixed(1)} %; the limit is ${one.limit}.`,
      ),
  ];
  const report = {
    kind: "no-regression" as const,
    at: new Date(today).toISOString(),
    node: process.version,
    cases: cases.length,
    answered,
    failures,
    coverage,
    fields,
    problems,
    ok: problems.length === 0,
  };
  return { ...report, digest: digest(report) };
}

async function ask<I>(engine: (input: I) => unknown, input: I): Promise<Answer> {
  try {
    const leaves: Leaves = new Map();
    collect("", await engine(structuredClone(input)), leaves);
    return { ok: true, leaves };
  } catch (error) {
    return { ok: false, error: errorMessage(error) };
  }
}

/** Members of an array share one field: their order counts, their index does not name them. */
function collect(path: string, value: unknown, into: Leaves): void {
  if (Array.isArray(value)) {
    into.set(`${path}.length`.replace(/^\./, ""), [
      ...(into.get(`${path}.length`.replace(/^\./, "")) ?? []),
      value.length,
    ]);
    for (const member of value) collect(`${path}[*]`, member, into);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value))
      if (member !== undefined) collect(path === "" ? key : `${path}.${key}`, member, into);
  } else {
    const field = path === "" ? "$" : path;
    into.set(field, [...(into.get(field) ?? []), value]);
  }
}

function delta(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number")
    return a === b ? 0 : Math.abs(b - a) / Math.max(Math.abs(a), Number.EPSILON);
  return Object.is(a, b) ? 0 : 1;
}

function judge(
  field: string,
  pairs: readonly { readonly legacy: Answer; readonly next: Answer }[],
  limit: number,
  exception: ParityException | undefined,
): FieldVerdict {
  const deltas: number[] = [];
  let both = 0;
  for (const { legacy, next } of pairs) {
    const a = legacy.ok ? legacy.leaves.get(field) : undefined;
    const b = next.ok ? next.leaves.get(field) : undefined;
    const failed = !legacy.ok || !next.ok;
    if (a === undefined && b === undefined && !failed) continue;
    if (a === undefined || b === undefined || a.length !== b.length) deltas.push(1);
    else {
      both++;
      deltas.push(Math.max(...a.map((value, at) => delta(value, b[at]))));
    }
  }
  deltas.sort((x, y) => x - y);
  const n = deltas.length;
  const at = (q: number) => deltas[Math.max(0, Math.ceil(q * n) - 1)] ?? 0;
  const mean = deltas.reduce((sum, value) => sum + value, 0) / n;
  const variance = n < 2 ? 0 : deltas.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const meanUpper = mean + 1.644854 * Math.sqrt(variance / n);
  const p95 = at(0.95);
  const ok = exception !== undefined || (p95 <= limit && meanUpper <= limit && both === n);
  return {
    field,
    n,
    coverage: both / n,
    p50: at(0.5),
    p95,
    max: at(1),
    mean,
    meanUpper,
    limit,
    ok,
    ...(exception === undefined
      ? {}
      : { exception: `${exception.owner}: ${exception.reason} (until ${exception.expires})` }),
  };
}

async function inParallel<T, R>(items: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, items.length) }, async () => {
      for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]!);
    }),
  );
  return results;
}
