import { HebraError } from "@hebra/core";
import { phaseLabel, type Phase } from "../rollout/phase.ts";
import type { RolloutStatus } from "../rollout/service.ts";
import { ask, needed, numberOption, readJsonFile, reasonOf, show, type Call } from "./call.ts";
import type { ExitCode } from "./io.ts";
import { renderStatus } from "./render-status.ts";

/** What a verb sends besides the reason. */
async function bodyOf(verb: string, { given }: Call): Promise<Record<string, unknown>> {
  const copied = Object.fromEntries(
    (["role", "item", "link", "digest", "to", "id"] as const).flatMap((name) =>
      given[name] === undefined ? [] : [[name, given[name]]],
    ),
  );
  const plan = typeof given.plan === "string" ? { plan: await readJsonFile(given.plan) } : {};
  switch (verb) {
    case "start":
      needed(given, "plan", "A rollout needs a plan");
      return plan;
    case "attest": {
      needed(given, "item", "What is attested");
      return { ...copied, ...(typeof given.report === "string" ? { report: await readJsonFile(given.report) } : {}) };
    }
    case "approve":
      needed(given, "role", "As what do you sign");
      return copied;
    case "close-postmortem":
      needed(given, "id", "Which postmortem");
      needed(given, "link", "Where does it lie");
      return copied;
    case "smoke":
      return { ...copied, ok: given.fail !== true };
    case "set-hold-back":
      needed(given, "hold-back", "How many stay");
      return { holdBack: numberOption(given, "hold-back", 0) };
    case "legacy-usage":
      needed(given, "calls", "How many calls");
      return { calls: numberOption(given, "calls", 0) };
    default:
      return { ...copied, ...plan };
  }
}

/** Looks at a rollout, moves it, or leaves a record. */
export async function rollout(call: Call): Promise<ExitCode> {
  const { operand: flag, verb, given } = call;
  if (verb === undefined)
    throw new HebraError("INVALID_OPTIONS", "`rollout` needs a verb. See hebra-flags rollout --help.");
  const path = `/v1/flags/${encodeURIComponent(flag)}`;
  if (verb === "status") {
    const { body } = await ask<RolloutStatus>(call, "GET", `${path}/rollout`);
    return show(call, body, () =>
      renderStatus(flag, body, { paint: call.paint, columns: call.io.size().columns }).join("\n"),
    );
  }
  if (verb === "postmortem") {
    const { body } = await ask<string>(
      call,
      "GET",
      `${path}/postmortems/${encodeURIComponent(needed(given, "id", "Which postmortem"))}`,
    );
    return show(call, { markdown: body }, () => body.trimEnd());
  }
  const reason = reasonOf(call);
  const answer = await ask<{ state: { phase: Phase; revision: number } }>(
    call,
    "POST",
    `${path}/rollout/${encodeURIComponent(verb)}`,
    { ...(await bodyOf(verb, call)), reason },
  );
  const { phase, revision } = answer.body.state;
  return show(
    call,
    answer.body,
    () => `Done: ${flag} is ${call.paint("bold", phaseLabel(phase))}, revision ${revision}.`,
  );
}
