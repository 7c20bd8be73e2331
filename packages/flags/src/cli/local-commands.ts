import { HebraError } from "@hebra/core";
import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { rolloutPlan, type RolloutPlanInput } from "../rollout/plan.ts";
import { simulateRollout } from "../rollout/simulation.ts";
import { perfBaseline, type PerfBaselineOptions, type PerfReport } from "../shadow/perf-baseline.ts";
import { validateNoRegression, type ValidateNoRegressionOptions } from "../shadow/validate-no-regression.ts";
import type { CliIo, ExitCode } from "./io.ts";
import { table } from "./render.ts";

/** The options of a command, as text. */
export type Given = Readonly<Record<string, string | boolean | undefined>>;

/** A number option. @throws HebraError `INVALID_OPTIONS` */
export function numberOption(given: Given, name: string, otherwise: number): number {
  const value = given[name];
  if (value === undefined) return otherwise;
  const parsed = Number(value);
  if (typeof value !== "string" || !Number.isFinite(parsed)) throw new HebraError("INVALID_OPTIONS", `--${name} needs a number.`);
  return parsed;
}

/** @throws HebraError `PARSE_ERROR` when the file is missing or no JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as unknown;
  } catch (error) {
    throw new HebraError("PARSE_ERROR", `${path} cannot be read as JSON.`, { cause: error });
  }
}

/** The real controller over made-up traffic. */
export async function simulate(io: CliIo, given: Given): Promise<ExitCode> {
  const plan = rolloutPlan(typeof given["plan"] === "string" ? ((await readJsonFile(given["plan"])) as RolloutPlanInput) : { owner: "simulation" });
  const legacy = { failing: numberOption(given, "legacy-errors", 0.4) / 100, medianMs: 400 };
  const next = { failing: numberOption(given, "errors", legacy.failing * 100) / 100, medianMs: 400 * numberOption(given, "latency", 1) };
  const result = await simulateRollout({ plan, legacy, next, seed: numberOption(given, "seed", 1), sessionsPerHour: numberOption(given, "sessions", 1_200) });
  if (given["json"] === true) io.out(`${JSON.stringify(result)}\n`);
  else {
    const moves = result.evidence.filter((record) => record.from !== record.to);
    io.out(`${table([["at", "from", "to", "by", "reason"], ...moves.map(({ at, from, to, cause, reason }) => [at, from, to, cause.kind === "guard" ? `guard ${cause.guard}` : cause.kind, reason])])}\n\n`);
    io.out(`${result.phase} after ${result.hours.toFixed(1)} h, ${result.sessions} sessions, ${result.newSessions} of them on the new engine.\n`);
  }
  return result.phase === "full" ? 0 : 1;
}

async function optionsOf(path: string): Promise<unknown> {
  const loaded = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
  if (loaded.default === undefined) throw new HebraError("INVALID_OPTIONS", `${path} has no default export.`);
  return typeof loaded.default === "function" ? await (loaded.default as () => unknown)() : loaded.default;
}

/** Runs a verdict out of a module, writes its report, and exits by it. */
export async function verdict(io: CliIo, kind: "validate-no-regression" | "perf-baseline", module: string, given: Given): Promise<ExitCode> {
  const options = await optionsOf(module);
  const baseline = typeof given["baseline"] === "string" ? { baseline: (await readJsonFile(given["baseline"])) as PerfReport } : {};
  const report = kind === "validate-no-regression" ? await validateNoRegression(options as ValidateNoRegressionOptions<unknown>) : await perfBaseline({ ...(options as PerfBaselineOptions), ...baseline });
  if (typeof given["out"] === "string") await writeFile(given["out"], `${JSON.stringify(report, null, 2)}\n`);
  if (given["json"] === true) io.out(`${JSON.stringify(report)}\n`);
  else {
    if (report.kind === "no-regression") io.out(`${table([["field", "n", "coverage", "p50", "p95", "max", "limit", ""], ...report.fields.map((one) => [one.field, String(one.n), `${(one.coverage * 100).toFixed(1)} %`, one.p50.toFixed(4), one.p95.toFixed(4), one.max.toFixed(4), String(one.limit), one.ok ? "ok" : "NO"])])}\n`);
    else io.out(`${table([["operation", "calls", "failed", "timed out", "p50 ms", "p95 ms", "p99 ms", "growth"], ...report.operations.map((one) => [one.name, String(one.calls), String(one.failed), String(one.timedOut), one.p50.toFixed(1), one.p95.toFixed(1), one.p99.toFixed(1), one.growth === undefined ? "" : `${(one.growth * 100).toFixed(1)} %`])])}\n`);
    for (const problem of report.problems) io.out(`✗ ${problem}\n`);
    io.out(`${report.ok ? "ok" : "NO"}  ${report.digest}\n`);
  }
  return report.ok ? 0 : 1;
}
