import { didYouMean, errorMessage, HebraError } from "@hebra/core";
import { postmortemDocument } from "../incident/postmortem.ts";
import type { RolloutCommand } from "../rollout/commands.ts";
import { rolloutEvents } from "../rollout/machine.ts";
import { rolloutPlan, type ApprovalRole, type RolloutPlan, type RolloutPlanInput } from "../rollout/plan.ts";
import { checkCommand, checkPlan } from "../rollout/policy.ts";
import { verifyEvidence } from "../rollout/evidence.ts";
import { verifyAudit } from "./audit.ts";
import { policyIn, type CallContext } from "./context.ts";
import { bodyOf, json, onlyKnown, text, type RouteEntry } from "./http.ts";
import { requireRole, type AdminRole, type Principal } from "./tokens.ts";

const records = ["amend", "approve", "attest", "smoke", "legacy-usage", "remove", "close-postmortem"] as const;
const approving: readonly string[] = ["approve", "retire", "reinstate", "remove"];

/** What a verb takes. */
function roleFor(verb: string, body: Readonly<Record<string, unknown>>): AdminRole {
  if (approving.includes(verb)) return "approve";
  // An override shortens what evidence cannot.
  return verb === "attest" && String(body["item"]).startsWith("override:") ? "approve" : "operate";
}

/** A command out of a request. @throws HebraError `INVALID_OPTIONS`, `FORBIDDEN` */
export function commandOf(
  verb: string,
  body: Readonly<Record<string, unknown>>,
  principal: Principal,
  headers: Headers,
): RolloutCommand {
  requireRole(principal, roleFor(verb, body));
  onlyKnownOf(verb, body);
  const given = headers.get("if-match");
  const ifMatch = given === null || given.trim() === "*" ? undefined : /^"?(\d+)"?$/.exec(given.trim())?.[1];
  // A precondition that cannot be read is not met: leaving it aside would write what its sender wanted to prevent.
  if (given !== null && given.trim() !== "*" && ifMatch === undefined)
    throw new HebraError("REVISION_CONFLICT", '`If-Match` needs one strong ETag of the rollout, such as "3".');
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
      if (!principal.approves.includes(role))
        throw new HebraError("FORBIDDEN", `${principal.name} does not give the ${role} approval.`);
      return { ...actor, event: "approve", role, ...planOf(body) };
    }
    case "amend": {
      const { plan } = planOf(body);
      if (plan === undefined) throw new HebraError("INVALID_OPTIONS", "`amend` needs a `plan`.");
      return { ...actor, event: "amend", plan };
    }
    case "attest":
      return {
        ...actor,
        event: "attest",
        item: text(body, "item"),
        ...optional(body, "link"),
        ...optional(body, "digest"),
        ...(body["report"] === undefined ? {} : { report: body["report"] }),
      };
    case "smoke":
      if (typeof body["ok"] !== "boolean")
        throw new HebraError("INVALID_OPTIONS", "The body needs `ok`: true or false.");
      return {
        ...actor,
        event: "smoke",
        ok: body["ok"],
        ...optional(body, "link"),
        ...(body["report"] === undefined ? {} : { report: body["report"] }),
      };
    case "legacy-usage":
      return { ...actor, event: "legacy-usage", calls: count(body, "calls") };
    case "remove":
      return { ...actor, event: "remove" };
    case "close-postmortem":
      return { ...actor, event: "close-postmortem", id: text(body, "id"), link: text(body, "link") };
  }
  const event = rolloutEvents.find((one) => one === verb);
  if (event === undefined) throw unknownVerb(verb);
  const { to } = body;
  if (to !== undefined && to !== "internal" && to !== "shadow")
    throw new HebraError("INVALID_OPTIONS", "`to` must be internal or shadow.");
  return {
    ...actor,
    event,
    ...planOf(body),
    ...(to === undefined ? {} : { to }),
    ...(body["holdBack"] === undefined ? {} : { holdBack: count(body, "holdBack") }),
  };
}

function planOf(body: Readonly<Record<string, unknown>>): { readonly plan?: RolloutPlan } {
  return body["plan"] === undefined ? {} : { plan: rolloutPlan(body["plan"] as RolloutPlanInput) };
}

function unknownVerb(verb: string): HebraError {
  const known = [...rolloutEvents, ...records];
  const near = didYouMean(verb, known);
  return new HebraError(
    "INVALID_OPTIONS",
    `There is no rollout verb \`${verb}\`${near === undefined ? "" : `; did you mean \`${near}\`?`} There are: ${known.join(", ")}.`,
  );
}

/** What each verb's body may hold besides a reason. */
const members: Readonly<Record<string, readonly string[]>> = {
  start: ["plan"],
  reset: ["plan", "to"],
  "set-hold-back": ["holdBack"],
  amend: ["plan"],
  approve: ["role", "plan"],
  attest: ["item", "link", "digest", "report"],
  smoke: ["ok", "link", "report"],
  "legacy-usage": ["calls"],
  "close-postmortem": ["id", "link"],
};

function onlyKnownOf(verb: string, body: Readonly<Record<string, unknown>>): void {
  if (![...rolloutEvents, ...records].some((one) => one === verb)) return;
  onlyKnown(verb, body, ["reason", ...(Object.hasOwn(members, verb) ? members[verb]! : [])]);
}

function optional<K extends string>(body: Readonly<Record<string, unknown>>, name: K): { readonly [P in K]?: string } {
  return (typeof body[name] === "string" ? { [name]: body[name] } : {}) as { readonly [P in K]?: string };
}

function count(body: Readonly<Record<string, unknown>>, name: string): number {
  const value = body[name];
  if (typeof value !== "number" || !(value >= 0))
    throw new HebraError("INVALID_OPTIONS", `The body needs a number \`${name}\`.`);
  return value;
}

/** Rollouts, the policy over them, their evidence and postmortems. */
export const rolloutRoutes: readonly RouteEntry<CallContext>[] = [
  [
    "GET",
    "/v1/flags/:key/rollout",
    async ({ context, params }) => {
      requireRole(context.principal, "read");
      const status = await context.service.status(params["key"]!);
      return json(status, 200, { etag: `"${status.state.revision}"` });
    },
  ],
  [
    "GET",
    "/v1/policy",
    async ({ context }) => {
      requireRole(context.principal, "read");
      return json(policyIn(context));
    },
  ],
  [
    "POST",
    "/v1/flags/:key/rollout/:verb",
    async ({ context, params, request }) => {
      const command = commandOf(params["verb"]!, await bodyOf(request), context.principal, request.headers);
      const policy = policyIn(context);
      checkCommand(policy, params["key"]!, command.event, context.principal.name, context.clock.now());
      if ("plan" in command && command.plan !== undefined) checkPlan(policy, params["key"]!, command.plan);
      const state = await context.service.act(params["key"]!, command);
      context.changed();
      return json({ state }, 200, { etag: `"${state.revision}"` });
    },
  ],
  [
    "GET",
    "/v1/flags/:key/audit",
    async ({ context, params }) => {
      requireRole(context.principal, "read");
      const key = params["key"]!;
      const [evidence, state] = await Promise.all([
        context.service.store.evidence(key),
        context.service.store.read(key),
      ]);
      // The end first: what is written in between only makes the log longer.
      const head = await context.audit.head?.();
      const everyChange = await context.audit.list();
      const problems = [
        () => verifyEvidence(evidence, state?.head ?? ""),
        () => verifyAudit(everyChange, head),
      ].flatMap((verify) => {
        try {
          verify();
          return [];
        } catch (error) {
          return [errorMessage(error)];
        }
      });
      // Changes of all flags are one chain; it is verified whole, and shown for one flag.
      return json({
        intact: problems.length === 0,
        problems,
        evidence,
        changes: everyChange.filter((change) => change.flag === key),
      });
    },
  ],
  [
    "GET",
    "/v1/flags/:key/postmortems/:id",
    async ({ context, params }) => {
      requireRole(context.principal, "read");
      const key = params["key"]!;
      const { state } = await context.service.status(key);
      const postmortem = state.postmortems.find((one) => one.id === params["id"]);
      if (postmortem === undefined)
        throw new HebraError("FLAG_NOT_FOUND", `There is no postmortem ${params["id"]} of ${key}.`);
      const since = new Date(postmortem.openedAt - 3_600_000).toISOString();
      const incidents = (await context.incidents?.list({ flag: key, since, limit: 1_000 })) ?? [];
      return new Response(
        postmortemDocument({ flag: key, postmortem, evidence: await context.service.store.evidence(key), incidents }),
        { headers: { "content-type": "text/markdown; charset=utf-8" } },
      );
    },
  ],
];
