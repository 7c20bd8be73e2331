import { didYouMean, errorMessage, HebraError } from "@hebra/core";
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { AuditEntry } from "../admin/audit.ts";
import type { Explanation } from "../admin/view.ts";
import type { Incident } from "../incident/incident.ts";
import type { EvidenceRecord } from "../rollout/evidence.ts";
import type { RolloutStatus } from "../rollout/service.ts";
import { adminClient, type AdminClient, type Refusal } from "./client.ts";
import { help, helpText } from "./help.ts";
import type { CliIo, ExitCode } from "./io.ts";
import { numberOption, readJsonFile, simulate, verdict, type Given } from "./local-commands.ts";
import { renderStatus, table } from "./render.ts";

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const options: NonNullable<ParseArgsConfig["options"]> = {
  help: flag, json: flag, once: flag, unmatched: flag, fail: flag, url: text, token: text, key: text, reason: text, file: text, etag: text, session: text, project: text, org: text, plan: text, role: text,
  item: text, link: text, to: text, "hold-back": text, calls: text, id: text, every: text, flag: text, code: text, limit: text, errors: text, "legacy-errors": text, latency: text, sessions: text, seed: text, out: text, baseline: text,
};

/** One command with what it was given. */
interface Call {
  readonly io: CliIo;
  readonly given: Given;
  readonly args: readonly string[];
  readonly client: () => AdminClient;
}

class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

const encode = encodeURIComponent;

async function ask<T>({ client, given }: Call, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ readonly body: T; readonly etag: string | null }> {
  const key = typeof given["key"] === "string" ? { "idempotency-key": given["key"] } : {};
  const answer = await client().call(method, path, body, { ...(method === "GET" ? {} : key), ...headers });
  if ("refusal" in answer) throw new Refused(answer.refusal);
  return answer as { body: T; etag: string | null };
}

function needed({ args, given }: Call, at: number, what: string): string {
  const value = args[at];
  if (value === undefined) throw new HebraError("INVALID_OPTIONS", `This command needs ${what}.${given["help"] === true ? "" : " See --help."}`);
  return value;
}

function reasonOf({ given }: Call): string {
  if (typeof given["reason"] !== "string" || given["reason"].trim() === "") throw new HebraError("INVALID_OPTIONS", "Say why: --reason <text>. It goes into the evidence.");
  return given["reason"];
}

function show({ io, given }: Call, value: unknown, human: () => string): ExitCode {
  io.out(`${given["json"] === true ? JSON.stringify(value) : human()}\n`);
  return 0;
}

type FlagRow = { readonly key: string; readonly rollout: { readonly version?: number; readonly kill?: unknown; readonly canary?: { readonly percent: number } } | null; readonly override: { readonly canaryPercent?: number; readonly shadowPercent?: number; readonly maxMode?: string } | null };

const commands: Readonly<Record<string, (call: Call) => Promise<ExitCode>>> = {
  async list(call) {
    const { body } = await ask<{ flags: FlagRow[] }>(call, "GET", "/v1/flags");
    return show(call, body, () =>
      table([["flag", "version", "canary", "shadow", "state"], ...body.flags.map(({ key, rollout, override }) => [
        key, String(rollout?.version ?? "–"), `${override?.canaryPercent ?? rollout?.canary?.percent ?? 0} %`, `${override?.shadowPercent ?? 0} %`,
        rollout?.kill !== undefined && rollout.kill !== null ? "KILLED" : override?.maxMode === "legacy" ? "legacy by rollout" : override === null ? "no rollout" : "rollout",
      ])]));
  },
  async get(call) {
    const { body, etag } = await ask(call, "GET", `/v1/flags/${encode(needed(call, 0, "a flag"))}`);
    return show(call, body, () => `${JSON.stringify(body, null, 2)}\netag ${etag}`);
  },
  async set(call) {
    const path = `/v1/flags/${encode(needed(call, 0, "a flag"))}`;
    const reason = reasonOf(call);
    if (typeof call.given["file"] !== "string") throw new HebraError("INVALID_OPTIONS", "Which entry? Give --file <rollout.json>.");
    const rollout = await readJsonFile(call.given["file"]);
    const etag = typeof call.given["etag"] === "string" ? call.given["etag"] : await ask(call, "GET", path).then((found) => found.etag, (error: unknown) => (error instanceof Refused && error.refusal.status === 404 ? null : Promise.reject(error)));
    const { body } = await ask(call, "PUT", path, { reason, rollout }, etag === null ? { "if-none-match": "*" } : { "if-match": etag });
    return show(call, body, () => "Written.");
  },
  kill: (call) => switchKill(call, "kill"),
  unkill: (call) => switchKill(call, "unkill"),
  async explain(call) {
    const context = Object.fromEntries(["session", "project", "org"].flatMap((name) => (typeof call.given[name] === "string" ? [[name, call.given[name]]] : [])));
    const { body } = await ask<Explanation>(call, "POST", "/v1/explain", { flag: needed(call, 0, "a flag"), context });
    const { decision, trace } = body;
    return show(call, body, () => [`${decision.mode} by ${decision.ruleId} (${decision.reason}), bucket ${decision.bucket}, arm ${decision.arm ?? "–"}`, ...trace.map((one) => `  ${one.outcome === "decided" ? "→" : " "} ${one.rule}`)].join("\n"));
  },
  async rollout(call) {
    const [verb, name] = [needed(call, 0, "a verb"), encode(needed(call, 1, "a flag"))];
    if (verb === "status") {
      const { body } = await ask<RolloutStatus>(call, "GET", `/v1/flags/${name}/rollout`);
      return show(call, body, () => renderStatus(needed(call, 1, "a flag"), body, Date.now()));
    }
    const { given } = call;
    const copied = Object.fromEntries(["role", "item", "link", "to", "id"].flatMap((one) => (typeof given[one] === "string" ? [[one, given[one]]] : [])));
    const body = {
      reason: reasonOf(call), ...copied,
      ...(verb === "smoke" ? { ok: given["fail"] !== true } : {}),
      ...(typeof given["plan"] === "string" ? { plan: await readJsonFile(given["plan"]) } : {}),
      ...(given["hold-back"] === undefined ? {} : { holdBack: numberOption(given, "hold-back", 0) }),
      ...(given["calls"] === undefined ? {} : { calls: numberOption(given, "calls", 0) }),
    };
    const answer = await ask<{ state: RolloutStatus["state"] }>(call, "POST", `/v1/flags/${name}/rollout/${encode(verb)}`, body);
    return show(call, answer.body, () => `Done; the rollout is at revision ${answer.body.state.revision}: ${JSON.stringify(answer.body.state.phase)}`);
  },
  async watch(call) {
    const name = needed(call, 0, "a flag");
    const { io, given } = call;
    const every = numberOption(given, "every", 5) * 1_000;
    for (;;) {
      const { body } = await ask<RolloutStatus>(call, "GET", `/v1/flags/${encode(name)}/rollout`);
      if (given["json"] === true) io.out(`${JSON.stringify(body)}\n`);
      else {
        const screen = renderStatus(name, body, Date.now()).split("\n").map((line) => line.slice(0, io.columns)).join("\n");
        io.out(`${io.terminal ? "\u001b[H\u001b[2J" : ""}${screen}\n`);
      }
      if (given["once"] === true || io.signal.aborted) return 0;
      await io.sleep(every);
      if (io.signal.aborted) return 0;
    }
  },
  async audit(call) {
    const { body } = await ask<{ intact: boolean; evidence: EvidenceRecord[]; changes: AuditEntry[] }>(call, "GET", `/v1/flags/${encode(needed(call, 0, "a flag"))}/audit`);
    show(call, body, () => {
      const rows = [
        ...body.evidence.map(({ at, event, from, to, cause, reason }) => [at, event, `${from} → ${to}`, cause.kind === "operator" ? cause.by : cause.kind === "guard" ? `guard ${cause.guard}` : "schedule", reason]),
        ...body.changes.map(({ at, action, actor, reason, revision }) => [at, action, `revision ${revision}`, actor, reason]),
      ].sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
      return `${table([["at", "event", "edge", "by", "reason"], ...rows])}\n\nThe chain of evidence is ${body.intact ? "intact" : "BROKEN"}.`;
    });
    return body.intact ? 0 : 1;
  },
  async incidents(call) {
    const { given } = call;
    const query = new URLSearchParams();
    for (const name of ["flag", "code", "limit"]) if (typeof given[name] === "string") query.set(name, given[name]);
    if (given["unmatched"] === true) query.set("matched", "false");
    const { body } = await ask<{ incidents: Incident[] }>(call, "GET", `/v1/incidents?${query.toString()}`);
    return show(call, body, () => table([["at", "code", "action", "fingerprint", "org", "message"], ...body.incidents.map(({ at, signature, decision, org }) => [at, signature.code, decision.action, signature.fingerprint.slice(0, 12), org ?? "–", signature.message.slice(0, 60)])]));
  },
  simulate: ({ io, given }) => simulate(io, given),
  "validate-no-regression": (call) => verdict(call.io, "validate-no-regression", needed(call, 0, "a module"), call.given),
  "perf-baseline": (call) => verdict(call.io, "perf-baseline", needed(call, 0, "a module"), call.given),
};

async function switchKill(call: Call, verb: "kill" | "unkill"): Promise<ExitCode> {
  const name = needed(call, 0, "a flag");
  const { body } = await ask(call, "POST", `/v1/flags/${encode(name)}/${verb}`, { reason: reasonOf(call) });
  return show(call, body, () => (verb === "kill" ? `${name} is killed: legacy serves.` : `${name} is alive again.`));
}

/**
 * Runs the command line.
 *
 * @returns the exit code; nothing is thrown.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    const given = values as Given;
    const [name, ...args] = positionals;
    if (given["help"] === true || name === undefined || name === "help") {
      io.out(helpText(name === "help" ? args[0] : name));
      return name === undefined && given["help"] !== true ? 2 : 0;
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (command === undefined) {
      const near = didYouMean(name, Object.keys(help));
      throw new HebraError("INVALID_OPTIONS", `There is no command \`${name}\`.${near === undefined ? "" : ` Did you mean \`${near}\`?`}`);
    }
    const url = typeof given["url"] === "string" ? given["url"] : io.url;
    const token = typeof given["token"] === "string" ? given["token"] : io.token;
    return await command({ io, given, args, client: () => adminClient(io, url, token) });
  } catch (error) {
    return failed(error, argv.includes("--json"), io);
  }
}

function failed(error: unknown, asJson: boolean, io: CliIo): ExitCode {
  if (error instanceof Refused) {
    const { status, code, detail, missing } = error.refusal;
    io.err(asJson ? `${JSON.stringify(error.refusal)}\n` : `${code}: ${detail}\n${missing.map((one) => `  ✗ ${one.detail}\n`).join("")}`);
    return status === 401 || status === 403 || status >= 500 ? 3 : 1;
  }
  if (io.signal.aborted) return 0;
  const code = HebraError.isInstance(error) ? error.code : "ERROR";
  io.err(asJson ? `${JSON.stringify({ code, detail: errorMessage(error) })}\n` : `${errorMessage(error)}\n`);
  return code === "UNREACHABLE" ? 3 : HebraError.isInstance(error) || (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") === true ? 2 : 1;
}
