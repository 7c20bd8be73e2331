import { exitCodes, oneLine, paint, table, type Report } from "@hebra/cli-kit";
import { didYouMean, errorCode, HebraError } from "@hebra/core";
import type { AuditEntry } from "../admin/audit.ts";
import type { Explanation } from "../admin/view.ts";
import type { Kill } from "../evaluate/types.ts";
import type { EvidenceRecord } from "../rollout/evidence.ts";
import { policyOf, type RolloutPolicy } from "../rollout/policy.ts";
import { ask, needed, readJsonFile, reasonOf, show, type FlagCall } from "./call.ts";

const encode = encodeURIComponent;
const flagPath = ({ operand }: FlagCall): string => `/v1/flags/${encode(operand)}`;

/** One flag of the admin's list. */
export interface FlagRow {
  readonly key: string;
  /** What to tidy up. */
  readonly notes?: readonly string[];
  readonly rollout: {
    readonly version?: number;
    readonly owner?: string;
    readonly kill?: Kill | null;
    readonly canary?: { readonly percent: number };
    readonly shadow?: { readonly percent: number };
  } | null;
  readonly override: {
    readonly canaryPercent?: number;
    readonly shadowPercent?: number;
    readonly maxMode?: string;
  } | null;
}

/** The admin's list of flags. */
export interface FlagList {
  readonly flags: readonly FlagRow[];
  /** The entry for all flags. */
  readonly everything: { readonly kill?: Kill | null } | null;
}

export async function list(call: FlagCall): Promise<Report> {
  const { body } = await ask<FlagList>(call, "GET", "/v1/flags");
  return show(body, (safe) => {
    const rows = safe.flags.map(({ key, rollout, override }) => [
      key,
      String(rollout?.version ?? "–"),
      `${override?.canaryPercent ?? rollout?.canary?.percent ?? 0} %`,
      `${override?.shadowPercent ?? rollout?.shadow?.percent ?? 0} %`,
      rollout?.kill
        ? paint("red", `KILLED by ${rollout.kill.by}: ${rollout.kill.reason}`)
        : override?.maxMode === "legacy"
          ? paint("yellow", "legacy by rollout")
          : override === null
            ? "no rollout"
            : "rollout",
      rollout?.owner ?? "–",
    ]);
    const notes = safe.flags.flatMap(({ key, notes = [] }) => notes.map((note) => paint("yellow", `${key}: ${note}`)));
    const all = safe.everything?.kill;
    return [
      ...(all ? [paint("red", `EVERYTHING is killed by ${all.by}: ${all.reason}`), ""] : []),
      rows.length === 0
        ? "There is no flag."
        : table([["flag", ">version", ">canary", ">shadow", "state", "owner"], ...rows]),
      ...(notes.length === 0 ? [] : ["", ...notes]),
    ].join("\n");
  });
}

export async function get(call: FlagCall): Promise<Report> {
  const { body, etag } = await ask<object>(call, "GET", flagPath(call));
  return { report: { ...body, etag }, text: `${JSON.stringify(body, null, 2)}\netag ${etag}` };
}

export async function set(call: FlagCall): Promise<Report> {
  const { given } = call;
  const reason = reasonOf(call);
  const rollout = await readJsonFile(needed(given, "file"));
  const precondition = typeof given.etag === "string" ? { "if-match": given.etag } : await unchanged(call);
  const { body, etag } = await ask<{ rollout: { version: number } }>(
    call,
    "PUT",
    flagPath(call),
    { rollout, reason },
    precondition,
  );
  return {
    report: { ...body, etag },
    text: `${oneLine(call.operand)} is written, version ${body.rollout.version}.`,
  };
}

/** Only if nobody changes the flag between this look and the write. */
async function unchanged(call: FlagCall): Promise<Record<string, string>> {
  const { body } = await ask<{ flags: readonly { key: string; etag: string }[] }>(call, "GET", "/v1/flags");
  const found = body.flags.find(({ key }) => key === call.operand);
  return found === undefined || found.etag === '"none"' ? { "if-none-match": "*" } : { "if-match": found.etag };
}

/**
 * A kill of a flag that does not exist stops nothing. An admin that cannot list its flags decides by itself: a list
 * that fails must not keep anybody from a kill.
 *
 * @throws HebraError `FLAG_NOT_FOUND`
 */
async function mustExist(call: FlagCall): Promise<void> {
  const { operand, name } = call;
  if (operand === "*") return;
  const found = await ask<FlagList>(call, "GET", "/v1/flags").catch((error: unknown) => {
    if (errorCode(error) === "INVALID_OPTIONS") throw error;
    return undefined;
  });
  if (found === undefined || found.body.flags.some(({ key }) => key === operand)) return;
  const near = didYouMean(
    operand,
    found.body.flags.map(({ key }) => key),
  );
  const meant = near === undefined ? "" : ` Did you mean \`${oneLine(near)}\`?`;
  const ahead = name.endsWith(" kill") ? " Pass --ahead to kill a flag before it exists." : "";
  throw new HebraError("FLAG_NOT_FOUND", `There is no flag \`${oneLine(operand)}\`.${meant} Nothing was done.${ahead}`);
}

async function switchKill(call: FlagCall, verb: "kill" | "unkill"): Promise<Report> {
  const reason = reasonOf(call);
  const ahead = verb === "kill" && call.given.ahead === true;
  if (!ahead) await mustExist(call);
  const { body } = await ask<object>(call, "POST", `${flagPath(call)}/${verb}`, {
    reason,
    ...(ahead ? { ahead } : {}),
  });
  const what = call.operand === "*" ? "Every flag" : oneLine(call.operand);
  return { report: body, text: verb === "kill" ? `${what} is killed: legacy serves.` : `${what} is alive again.` };
}

export const kill = (call: FlagCall): Promise<Report> => switchKill(call, "kill");
export const unkill = (call: FlagCall): Promise<Report> => switchKill(call, "unkill");

export async function explain(call: FlagCall): Promise<Report> {
  const { given, operand } = call;
  const context = Object.fromEntries(
    (["session", "project", "org"] as const).flatMap((name) =>
      given[name] === undefined ? [] : [[name, given[name]]],
    ),
  );
  const { body } = await ask<Explanation>(call, "POST", "/v1/explain", { flag: operand, context });
  return show(body, ({ decision, effective, trace }) => {
    const drawn = decision.bucket < 0 ? "" : `, bucket ${decision.bucket} of 100000`;
    const arm = decision.arm === undefined ? "" : `, arm ${decision.arm}`;
    const capped =
      effective.maxMode === "legacy" && effective.killedBy === undefined
        ? ["  the rollout stands at legacy: no rule leads further"]
        : [];
    return [
      `${paint("bold", decision.mode)} by ${decision.ruleId} (${decision.reason})${drawn}${arm}`,
      ...capped,
      ...trace.map((one) =>
        one.outcome === "decided" ? `  ${paint("green", "→")} ${one.rule}` : paint("dim", `    ${one.rule}`),
      ),
    ].join("\n");
  });
}

export async function audit(call: FlagCall): Promise<Report> {
  const { body } = await ask<{
    intact: boolean;
    problems: readonly string[];
    evidence: readonly EvidenceRecord[];
    changes: readonly AuditEntry[];
  }>(call, "GET", `${flagPath(call)}/audit`);
  const report = show(body, (body) => {
    const rows = [
      ...body.evidence.map(({ at, event, from, to, cause, reason }) => [
        at,
        event,
        from === to ? from : `${from} → ${to}`,
        cause.kind === "operator" ? cause.by : cause.kind === "guard" ? `guard ${cause.guard}` : "schedule",
        reason,
      ]),
      ...body.changes.map(({ at, action, actor, reason, revision }) => [
        at,
        action,
        `document ${revision}`,
        actor,
        reason,
      ]),
    ].sort((a, b) => (a[0]! < b[0]! ? -1 : a[0]! > b[0]! ? 1 : 0));
    const verdict = body.intact
      ? paint("green", "The chains of evidence and of changes are intact.")
      : [
          paint("red", "A chain is BROKEN."),
          ...body.problems.map((problem) => `  ${paint("red", "✗")} ${problem}`),
        ].join("\n");
    return `${rows.length === 0 ? "Nothing happened to this flag yet." : table([["at", "event", "where", "by", "reason"], ...rows])}\n\n${verdict}`;
  });
  return body.intact ? report : { ...report, exitCode: exitCodes.differs };
}

/** The policy, by flag. */
export async function policy(call: FlagCall): Promise<Report> {
  const { body } = await ask<RolloutPolicy>(call, "GET", "/v1/policy");
  const flags = [...new Set([...Object.keys(body.flags), "*"])];
  return show(body, (safe) =>
    [
      `version ${safe.version}`,
      ...flags.flatMap((flag) => {
        const own = policyOf(safe, flag);
        const list = (values: readonly string[]) => (values.length === 0 ? "none" : values.join(", "));
        return [
          "",
          paint("bold", oneLine(flag === "*" ? "every other flag" : flag)),
          `  approvals          ${list(own.approvals)}`,
          `  required guards    ${list(own.requiredGuards)}`,
          `  may be disabled    ${list(own.mayDisable)}`,
          `  evidence           ${list(own.evidence)}`,
          `  least in shadow    ${own.leastShadowMs / 3_600_000} h, ${own.minCompared} compared turns`,
          `  without a rollout  ${own.maxPercent} %`,
          ...own.freeze.map(({ from, to, timeZone = "UTC" }) => `  frozen             ${from} to ${to} ${timeZone}`),
          ...Object.entries(own.may).map(([command, names]) => `  may ${command.padEnd(15)}${list(names)}`),
        ];
      }),
    ].join("\n"),
  );
}
