import { oneLine, paint, table, type Report } from "@hebra/cli-kit";
import type { Incident } from "../incident/incident.ts";
import { ask, numberOption, reasonOf, show, type FlagCall } from "./call.ts";

const path = (id: string): string => `/v1/incidents/${encodeURIComponent(id)}`;

/** Incidents, the latest first. */
export async function list(call: FlagCall): Promise<Report> {
  const { given } = call;
  const query = new URLSearchParams();
  for (const name of ["kind", "flag", "org", "code"] as const)
    if (typeof given[name] === "string") query.set(name, given[name]);
  if (given.limit !== undefined) query.set("limit", String(numberOption(given, "limit", 100, 1)));
  if (given.unmatched === true) query.set("matched", "false");
  if (given.open === true) query.set("open", "true");
  const { body } = await ask<{ incidents: readonly Incident[] }>(call, "GET", `/v1/incidents?${query.toString()}`);
  return show(body, ({ incidents }) =>
    incidents.length === 0
      ? "There is no such incident."
      : table([["id", "at", "state", "kind", "code", "action", "org", "message"], ...incidents.map(row)]),
  );
}

function row({ id, at, closed, kind, signature, decision, org }: Incident): string[] {
  return [
    id,
    at,
    closed === undefined ? paint("yellow", "open") : "closed",
    kind,
    signature.code,
    decision.matched ? decision.action : paint("yellow", decision.action),
    org ?? "–",
    signature.message.slice(0, 60),
  ];
}

/** Everything that one incident knows. */
export async function showOne(call: FlagCall): Promise<Report> {
  const { body } = await ask<{ incident: Incident }>(call, "GET", path(call.operand));
  const { postmortem } = body.incident;
  const report = show(body.incident, (incident) => linesOf(incident).join("\n"));
  // The draft is a document of many lines; its parts were escaped when it was written.
  return postmortem === undefined ? report : { ...report, text: `${report.text}\n\n${draft(postmortem)}` };
}

/** Line breaks stay; other controls of somebody's text do not reach the terminal. */
const draft = (markdown: string): string => markdown.split("\n").map(oneLine).join("\n").trimEnd();

function linesOf(incident: Incident): string[] {
  const { id, kind, at, closed, signature, decision, runbook, context, versions } = incident;
  const { org, project, session, executionId, contextId, traceId, flag, mode, flagVersion } = incident;
  const place = { org, project, session, execution: executionId, context: contextId, trace: traceId };
  return [
    `${paint("bold", id)}   ${kind}   ${closed === undefined ? paint("yellow", "open") : "closed"}   ${at}`,
    `${signature.code}: ${signature.message}`,
    `fingerprint ${signature.fingerprint}`,
    ...signature.frames.map((frame) => `  in ${frame}`),
    `decision ${decision.action}${decision.rule === undefined ? "" : ` by ${decision.rule}`}: ${decision.reason}`,
    ...(runbook === null ? [] : [`runbook ${runbook}`]),
    ...(flag === undefined ? [] : [`flag ${flag}, ${mode ?? "–"}, version ${String(flagVersion ?? "–")}`]),
    ...Object.entries(place).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`])),
    ...Object.entries(versions).map(([name, version]) => `version of ${name}: ${version}`),
    `about ${JSON.stringify(context)}`,
    ...(closed === undefined
      ? []
      : [
          `closed by ${closed.by} at ${closed.at}: ${closed.reason}${closed.link === undefined ? "" : ` (${closed.link})`}`,
        ]),
  ];
}

/** Closes one incident. */
export async function close(call: FlagCall): Promise<Report> {
  const { given, operand } = call;
  const { body } = await ask<{ incident: Incident }>(call, "POST", `${path(operand)}/close`, {
    reason: reasonOf(call),
    ...(given.link === undefined ? {} : { link: given.link }),
  });
  const { closed } = body.incident;
  return show(body.incident, ({ id }) => `${id} is closed by ${oneLine(closed?.by ?? "nobody")}.`);
}
