import { HebraError } from "@hebra/core";
import { postmortemDocument } from "../incident/postmortem.ts";
import type { IncidentQuery } from "../incident/incident.ts";
import type { RolloutCommand } from "../rollout/commands.ts";
import { rolloutEvents } from "../rollout/machine.ts";
import { rolloutPlan, type ApprovalRole, type RolloutPlanInput } from "../rollout/plan.ts";
import { verifyEvidence } from "../rollout/evidence.ts";
import type { CallContext } from "./context.ts";
import { bodyOf, json, text, type RouteEntry } from "./http.ts";
import { requireRole, type AdminRole, type Principal } from "./tokens.ts";

const records = ["approve", "attest", "smoke", "legacy-usage", "remove", "close-postmortem"] as const;
const approving: readonly string[] = ["approve", "retire", "reinstate", "remove"];

/** What a verb takes. */
function roleFor(verb: string, body: Readonly<Record<string, unknown>>): AdminRole {
  if (approving.includes(verb)) return "approve";
  // An override shortens what evidence cannot.
  return verb === "attest" && String(body["item"]).startsWith("override:") ? "approve" : "operate";
}

/** A command out of a request. @throws HebraError `INVALID_OPTIONS`, `FORBIDDEN` */
export function commandOf(verb: string, body: Readonly<Record<string, unknown>>, principal: Principal, headers: Headers): RolloutCommand {
  requireRole(principal, roleFor(verb, body));
  const ifMatch = /^"?(\d+)"?$/.exec(headers.get("if-match") ?? "")?.[1];
  const idempotencyKey = headers.get("idempotency-key");
  const actor = {
    by: principal.name,
    reason: text(body, "reason"),
    ...(ifMatch === undefined ? {} : { expectedRevision: Number(ifMatch) }),
    ...(idempotencyKey === null ? {} : { idempotencyKey: `${principal.name} ${verb} ${idempotencyKey}` }),
  };
  switch (verb) {
    case "approve": {
      const role = text(body, "role") as ApprovalRole;
      if (!principal.approves.includes(role)) throw new HebraError("FORBIDDEN", `${principal.name} does not give the ${role} approval.`);
      return { ...actor, event: "approve", role };
    }
    case "attest":
      return { ...actor, event: "attest", item: text(body, "item"), ...optional(body, "link"), ...optional(body, "digest") };
    case "smoke":
      if (typeof body["ok"] !== "boolean") throw new HebraError("INVALID_OPTIONS", "The body needs `ok`: true or false.");
      return { ...actor, event: "smoke", ok: body["ok"], ...optional(body, "link") };
    case "legacy-usage":
      return { ...actor, event: "legacy-usage", calls: count(body, "calls") };
    case "remove":
      return { ...actor, event: "remove" };
    case "close-postmortem":
      return { ...actor, event: "close-postmortem", id: text(body, "id"), link: text(body, "link") };
  }
  const event = rolloutEvents.find((one) => one === verb);
  if (event === undefined) throw new HebraError("INVALID_OPTIONS", `There is no rollout verb \`${verb}\`. There are: ${[...rolloutEvents, ...records].join(", ")}.`);
  return {
    ...actor,
    event,
    ...(body["plan"] === undefined ? {} : { plan: rolloutPlan(body["plan"] as RolloutPlanInput) }),
    ...(body["to"] === "internal" || body["to"] === "shadow" ? { to: body["to"] } : {}),
    ...(body["holdBack"] === undefined ? {} : { holdBack: count(body, "holdBack") }),
  };
}

function optional<K extends string>(body: Readonly<Record<string, unknown>>, name: K): { readonly [P in K]?: string } {
  return (typeof body[name] === "string" ? { [name]: body[name] } : {}) as { readonly [P in K]?: string };
}

function count(body: Readonly<Record<string, unknown>>, name: string): number {
  const value = body[name];
  if (typeof value !== "number" || !(value >= 0)) throw new HebraError("INVALID_OPTIONS", `The body needs a number \`${name}\`.`);
  return value;
}

/** Rollouts, their evidence, incidents and postmortems. */
export const rolloutRoutes: readonly RouteEntry<CallContext>[] = [
  ["GET", "/v1/flags/:key/rollout", async ({ context, params }) => {
    requireRole(context.principal, "read");
    const status = await context.service.status(params["key"]!);
    return json(status, 200, { etag: `"${status.state.revision}"` });
  }],
  ["POST", "/v1/flags/:key/rollout/:verb", async ({ context, params, request }) => {
    const command = commandOf(params["verb"]!, await bodyOf(request), context.principal, request.headers);
    const state = await context.service.act(params["key"]!, command);
    context.changed();
    return json({ state }, 200, { etag: `"${state.revision}"` });
  }],
  ["GET", "/v1/flags/:key/audit", async ({ context, params }) => {
    requireRole(context.principal, "read");
    const key = params["key"]!;
    const [evidence, state, changes] = await Promise.all([context.service.store.evidence(key), context.service.store.read(key), context.audit.list(key)]);
    let intact = true;
    try {
      verifyEvidence(evidence, state?.head ?? "");
    } catch {
      intact = false;
    }
    return json({ intact, evidence, changes });
  }],
  ["GET", "/v1/flags/:key/postmortems/:id", async ({ context, params }) => {
    requireRole(context.principal, "read");
    const key = params["key"]!;
    const { state } = await context.service.status(key);
    const postmortem = state.postmortems.find((one) => one.id === params["id"]);
    if (postmortem === undefined) throw new HebraError("FLAG_NOT_FOUND", `There is no postmortem ${params["id"]} of ${key}.`);
    const since = new Date(postmortem.openedAt - 3_600_000).toISOString();
    const incidents = (await context.incidents?.list({ flag: key, since, limit: 1_000 })) ?? [];
    return new Response(postmortemDocument({ flag: key, postmortem, evidence: await context.service.store.evidence(key), incidents }), { headers: { "content-type": "text/markdown; charset=utf-8" } });
  }],
  ["GET", "/v1/incidents", async ({ context, url }) => {
    requireRole(context.principal, "read");
    if (context.incidents === undefined) return json({ incidents: [] });
    const { searchParams } = url;
    const given = (name: string) => searchParams.get(name);
    const query: IncidentQuery = {
      ...Object.fromEntries(["flag", "org", "fingerprint", "code", "since"].flatMap((name) => (given(name) === null ? [] : [[name, given(name)]]))),
      ...(given("matched") === null ? {} : { matched: given("matched") === "true" }),
      limit: Math.min(1_000, Math.max(1, Number(given("limit") ?? 100) || 100)),
    };
    return json({ incidents: await context.incidents.list(query) });
  }],
];
