import { exitCodes, oneLine, paint, table, type Report } from "@hebra/cli-kit";
import { HebraError } from "@hebra/core";
import { writeFile } from "node:fs/promises";
import type { Incident } from "../incident/incident.ts";
import { rehearsalFaults, type RehearsalFault } from "../rehearsal/faults.ts";
import type { RehearsalOptions } from "../rehearsal/options.ts";
import { rehearseRollback, type RehearsalReport } from "../rehearsal/rehearse.ts";
import { ask, moduleDefault, needed, type FlagCall } from "./call.ts";

const production = /^prod(uction)?$/i;

/** The deployment's environment. One variable that says production is enough: a drill must not be talked into it. */
function environmentOf({ given, io }: FlagCall): string {
  const told = [given.environment, io.env["HEBRA_ENVIRONMENT"], io.env["ENVIRONMENT"], io.env["NODE_ENV"]];
  return told.find((name) => name !== undefined && production.test(name)) ?? given.environment ?? told[2] ?? "staging";
}

/** @throws HebraError `INVALID_OPTIONS` */
function faultOf({ given }: FlagCall): RehearsalFault {
  const fault = given.fault ?? "provider-5xx";
  const known = rehearsalFaults.find((one) => one === fault);
  if (known !== undefined) return known;
  throw new HebraError("INVALID_OPTIONS", `There is no fault \`${fault}\`. There are: ${rehearsalFaults.join(", ")}.`);
}

/** The admin that the evidence goes to; without a reason the report stays a file. */
const handsIn = ({ given, io }: FlagCall): boolean =>
  given.reason !== undefined && (given.url ?? io.env["HEBRA_FLAGS_URL"] ?? "") !== "";

/** Performs a rollback, and hands its report and incident in. */
export async function rehearse(call: FlagCall): Promise<Report> {
  const { given, operand: flag } = call;
  const engines = (await moduleDefault(needed(given, "app"))) as Omit<RehearsalOptions, "flag" | "environment">;
  const report = await rehearseRollback({ ...engines, flag, fault: faultOf(call), environment: environmentOf(call) });
  if (typeof given.out === "string") await writeFile(given.out, `${JSON.stringify(report, null, 2)}\n`);
  const told = handsIn(call)
    ? await handIn(call, report)
    : ["The report was not handed in: pass --reason, and an admin."];
  return {
    report,
    text: [...render(report), ...told.map((line) => paint("dim", line))].join("\n"),
    exitCode: report.ok ? exitCodes.done : exitCodes.usage,
  };
}

async function handIn(call: FlagCall, report: RehearsalReport): Promise<string[]> {
  const { operand: flag, given } = call;
  const told: string[] = [];
  if (report.incident !== null) {
    await ask(call, "POST", "/v1/incidents", recordOf(report.incident, report));
    told.push(`Incident ${report.incident.id} is recorded.`);
  }
  if (!report.ok) return [...told, "A rehearsal that failed is no evidence; it was not handed in."];
  const path = `/v1/flags/${encodeURIComponent(flag)}/rollout/attest`;
  await ask(call, "POST", path, { item: "rollback-rehearsal", report, reason: given.reason });
  return [...told, `Evidence of rollback-rehearsal is recorded for ${oneLine(flag)}.`];
}

function recordOf({ id, signature, org, session }: Incident, { flag, fault, guard, digest }: RehearsalReport): object {
  return {
    kind: "rehearsal",
    id,
    code: signature.code,
    message: signature.message,
    component: signature.component,
    flag,
    ...(org === undefined ? {} : { org }),
    ...(session === undefined ? {} : { session }),
    context: { fault, guard, fingerprint: signature.fingerprint, report: digest },
  };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;

function render(report: RehearsalReport): string[] {
  const { fault, environment, timings, sessions, guard, incident, problems, ok, digest } = report;
  return [
    table([
      ["part", ">took", "what"],
      [
        "canary",
        seconds(timings.canaryMs),
        `${sessions.new} sessions on the new engine, ${sessions.legacy} on the old`,
      ],
      ["rollback", seconds(timings.rollbackMs), `${fault} in ${oneLine(environment)}; by ${guard ?? "nobody"}`],
      ["hand-back", seconds(timings.handBackMs), `${sessions.back} sessions with their history`],
      ["all", seconds(timings.totalMs), ""],
    ]),
    incident === null
      ? "no incident"
      : `incident ${incident.id}   ${incident.signature.code}   ${incident.decision.action}   ${incident.signature.fingerprint.slice(0, 12)}`,
    ...problems.map((problem) => `${paint("red", "✗")} ${oneLine(problem)}`),
    `${ok ? paint("green", "ok") : paint("red", "NO")}  ${digest}`,
  ];
}
