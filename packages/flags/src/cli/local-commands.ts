import { exitCodes, oneLine, paint, table, type Report } from "@hebra/cli-kit";
import { writeFile } from "node:fs/promises";
import { rolloutPlan, type RolloutPlanInput } from "../rollout/plan.ts";
import { simulateRollout } from "../rollout/simulation.ts";
import { perfBaseline, type PerfBaselineOptions, type PerfReport } from "../shadow/perf-baseline.ts";
import {
  validateNoRegression,
  type NoRegressionReport,
  type ValidateNoRegressionOptions,
} from "../shadow/validate-no-regression.ts";
import { moduleDefault, numberOption, readJsonFile, type FlagCall } from "./call.ts";

/** The real controller over made-up traffic. */
export async function simulate({ given }: FlagCall): Promise<Report> {
  const plan = rolloutPlan(
    typeof given.plan === "string" ? ((await readJsonFile(given.plan)) as RolloutPlanInput) : { owner: "simulation" },
  );
  const legacy = { failing: numberOption(given, "legacy-errors", 0.4) / 100, medianMs: 400 };
  const next = {
    failing: numberOption(given, "errors", legacy.failing * 100) / 100,
    medianMs: 400 * numberOption(given, "latency", 1),
  };
  const result = await simulateRollout({
    plan,
    legacy,
    next,
    seed: numberOption(given, "seed", 1),
    sessionsPerHour: numberOption(given, "sessions", 1_200, 1),
  });
  const began = Date.parse(result.evidence[0]?.at ?? "");
  const moves = result.evidence
    .filter((record) => record.from !== record.to)
    .map(({ at, from, to, cause, reason }) => [
      `${((Date.parse(at) - began) / 3_600_000).toFixed(1)} h`,
      from,
      to,
      cause.kind === "guard" ? `guard ${cause.guard}` : cause.kind,
      reason,
    ]);
  return {
    report: result,
    text: [
      table([[">after", "from", "to", "by", "reason"], ...moves]),
      "",
      `${paint("bold", result.phase)} after ${result.hours.toFixed(1)} h, ${result.sessions} sessions, ${result.newSessions} of them on the new engine.`,
    ].join("\n"),
    exitCode: result.phase === "full" ? exitCodes.done : exitCodes.usage,
  };
}

/** Runs a verdict out of a module, writes its report, and exits by it. */
export async function verdict(kind: "validate-no-regression" | "perf-baseline", call: FlagCall): Promise<Report> {
  const { given, operand } = call;
  const options = await moduleDefault(operand);
  const baseline =
    typeof given.baseline === "string" ? { baseline: (await readJsonFile(given.baseline)) as PerfReport } : {};
  const report =
    kind === "validate-no-regression"
      ? await validateNoRegression(options as ValidateNoRegressionOptions<unknown>)
      : await perfBaseline({ ...(options as PerfBaselineOptions), ...baseline });
  if (typeof given.out === "string") await writeFile(given.out, `${JSON.stringify(report, null, 2)}\n`);
  return {
    report,
    text: [
      table(report.kind === "no-regression" ? fieldRows(report) : operationRows(report)),
      ...report.problems.map((problem) => `${paint("red", "✗")} ${oneLine(problem)}`),
      `${report.ok ? paint("green", "ok") : paint("red", "NO")}  ${report.digest}`,
    ].join("\n"),
    exitCode: report.ok ? exitCodes.done : exitCodes.usage,
  };
}

const fieldRows = ({ fields }: NoRegressionReport): string[][] => [
  ["field", ">n", ">coverage", ">p50", ">p95", ">max", ">limit", "verdict"],
  ...fields.map((one) => [
    one.field,
    String(one.n),
    `${(one.coverage * 100).toFixed(1)} %`,
    one.p50.toFixed(4),
    one.p95.toFixed(4),
    one.max.toFixed(4),
    String(one.limit),
    one.ok ? (one.exception === undefined ? "ok" : "excepted") : "NO",
  ]),
];

const operationRows = ({ operations }: PerfReport): string[][] => [
  ["operation", ">calls", ">failed", ">timed out", ">p50 ms", ">p95 ms", ">p99 ms", ">growth"],
  ...operations.map((one) => [
    one.name,
    String(one.calls),
    String(one.failed),
    String(one.timedOut),
    one.p50.toFixed(1),
    one.p95.toFixed(1),
    one.p99.toFixed(1),
    one.growth === undefined ? "" : `${(one.growth * 100).toFixed(1)} %`,
  ]),
];
