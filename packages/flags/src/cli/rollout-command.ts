import { oneLine, paint, type Report } from "@hebra/cli-kit";
import { phaseLabel, type Phase } from "../rollout/phase.ts";
import type { RolloutStatus } from "../rollout/service.ts";
import { ask, needed, numberOption, readJsonFile, reasonOf, type FlagCall } from "./call.ts";
import { renderStatus } from "./render-status.ts";

/** What a verb sends besides the reason. */
async function bodyOf(verb: string, { given }: FlagCall): Promise<Record<string, unknown>> {
  const copied = Object.fromEntries(
    (["role", "item", "link", "digest", "to", "id"] as const).flatMap((name) =>
      given[name] === undefined ? [] : [[name, given[name]]],
    ),
  );
  const plan = typeof given.plan === "string" ? { plan: await readJsonFile(given.plan) } : {};
  switch (verb) {
    case "start":
      needed(given, "plan");
      return plan;
    case "attest": {
      needed(given, "item");
      return { ...copied, ...(typeof given.report === "string" ? { report: await readJsonFile(given.report) } : {}) };
    }
    case "approve":
      needed(given, "role");
      return { ...copied, ...plan };
    case "amend":
      needed(given, "plan");
      return plan;
    case "close-postmortem":
      needed(given, "id");
      needed(given, "link");
      return copied;
    case "smoke": {
      if (typeof given.report !== "string") return { ...copied, ok: given.fail !== true };
      const report = await readJsonFile(given.report);
      return { ...copied, ok: given.fail !== true && (report as { ok?: unknown } | null)?.ok === true, report };
    }
    case "set-hold-back":
      needed(given, "hold-back");
      return { holdBack: numberOption(given, "hold-back", 0) };
    case "legacy-usage":
      needed(given, "calls");
      return { calls: numberOption(given, "calls", 0) };
    default:
      return { ...copied, ...plan };
  }
}

/** Looks at a rollout, moves it, or leaves a record. */
export async function rollout(verb: string, call: FlagCall): Promise<Report> {
  const { operand: flag, given } = call;
  const path = `/v1/flags/${encodeURIComponent(flag)}`;
  if (verb === "status") {
    const { body } = await ask<RolloutStatus>(call, "GET", `${path}/rollout`);
    return { report: body, text: renderStatus(flag, body, call.io.size().columns).join("\n") };
  }
  if (verb === "postmortem") {
    const { body } = await ask<string>(call, "GET", `${path}/postmortems/${encodeURIComponent(needed(given, "id"))}`);
    return { report: { markdown: body }, text: body.trimEnd() };
  }
  const reason = reasonOf(call);
  const answer = await ask<{ state: { phase: Phase; revision: number } }>(
    call,
    "POST",
    `${path}/rollout/${encodeURIComponent(verb)}`,
    { ...(await bodyOf(verb, call)), reason },
  );
  const { phase, revision } = answer.body.state;
  return {
    report: answer.body,
    text: `Done: ${oneLine(flag)} is ${paint("bold", oneLine(phaseLabel(phase)))}, revision ${revision}.`,
  };
}
