import { HebraError } from "@hebra/core";
import type { RolloutCommand } from "../rollout/commands.ts";
import type { RolloutEvent } from "../rollout/machine.ts";
import { activePhase, phaseLabel } from "../rollout/phase.ts";
import type { RolloutState } from "../rollout/state.ts";
import { checkCommand } from "../rollout/policy.ts";
import { policyIn, type CallContext } from "./context.ts";
import { bodyOf, json, type RouteEntry } from "./http.ts";
import { requireRole, type AdminRole } from "./tokens.ts";

/** The four switches of a two-version migration, as the rollout's phase has them. */
function switches(
  state: RolloutState | undefined,
): Record<"v2_enabled" | "shadow_mode" | "v2_primary" | "v1_deprecated", boolean> {
  const phase = state?.phase ?? { name: "off" as const };
  const active = activePhase(phase);
  const retired = phase.name === "retired";
  return {
    v2_enabled: active !== undefined || retired,
    shadow_mode: active?.name === "shadow",
    v2_primary: active?.name === "full" || retired,
    v1_deprecated: retired,
  };
}

function aliasOf(context: CallContext): NonNullable<CallContext["alias"]> {
  if (context.alias === undefined)
    throw new HebraError(
      "FLAG_NOT_FOUND",
      "No flag was given to the short admin verbs; set `alias` when the handler is made.",
    );
  return context.alias;
}

async function answer(context: CallContext): Promise<Response> {
  const { flag } = aliasOf(context);
  const state = await context.service.store.read(flag);
  return json({
    flag,
    phase: state === undefined ? "off" : phaseLabel(state.phase),
    flags: switches(state),
    revision: state?.revision ?? 0,
  });
}

async function act(
  context: CallContext,
  request: Request,
  event: RolloutEvent,
  role: AdminRole,
  body: Readonly<Record<string, unknown>>,
  via: string,
): Promise<Response> {
  requireRole(context.principal, role);
  const { flag, plan } = aliasOf(context);
  if (event === "cutover") await refuseCapped(context, flag);
  if (event === "retire" && context.usage !== undefined) {
    await context.service.act(flag, {
      event: "legacy-usage",
      by: context.principal.name,
      reason: `measured for ${via}`,
      calls: context.usage().unpinned,
    });
  }
  const key = request.headers.get("idempotency-key");
  const command: RolloutCommand = {
    event,
    by: context.principal.name,
    reason: typeof body["reason"] === "string" && body["reason"].trim() !== "" ? body["reason"] : `asked for by ${via}`,
    ...(event === "start" ? { plan } : {}),
    ...(key === null ? {} : { idempotencyKey: `${context.principal.name} ${via} ${key}` }),
  };
  checkCommand(policyIn(context), flag, event, context.principal.name, context.clock.now());
  await context.service.act(flag, command);
  context.changed();
  return answer(context);
}

/** A cap in the document is a promise that the short verbs keep. */
async function refuseCapped(context: CallContext, flag: string): Promise<void> {
  const { document } = await context.documents.read();
  const rollout = document.rollouts?.[flag];
  const own = context.environment === undefined ? undefined : rollout?.environments?.[context.environment];
  const cap = Math.min(rollout?.maxPercent ?? 100, own?.maxPercent ?? 100);
  if (cap < 100)
    throw new HebraError("EVIDENCE_MISSING", `The flag is capped at ${cap} %; lift \`maxPercent\` before a cutover.`, {
      details: { missing: [{ item: "max-percent", detail: `capped at ${cap} %` }] },
    });
}

/** What setting a switch means. */
const settings: Readonly<
  Record<string, { readonly on: RolloutEvent; readonly off: RolloutEvent; readonly role: AdminRole }>
> = {
  v2_enabled: { on: "start", off: "rollback", role: "operate" },
  shadow_mode: { on: "advance", off: "retreat", role: "operate" },
  v2_primary: { on: "cutover", off: "rollback", role: "operate" },
  v1_deprecated: { on: "retire", off: "reinstate", role: "approve" },
};

const inPhase = async (context: CallContext, phase: string): Promise<boolean> =>
  (await context.service.store.read(aliasOf(context).flag))?.phase.name === phase;

/**
 * `shadow_mode` is the step from internal, nothing else: an advance out of shadow must not be had by asking for it
 * twice.
 */
async function enableShadow(
  context: CallContext,
  request: Request,
  body: Readonly<Record<string, unknown>>,
  via: string,
): Promise<Response> {
  requireRole(context.principal, "operate");
  if (!(await inPhase(context, "internal"))) {
    const state = await context.service.store.read(aliasOf(context).flag);
    throw new HebraError(
      "ILLEGAL_TRANSITION",
      `Shadow mode follows the internal phase; the rollout is ${state === undefined ? "off" : phaseLabel(state.phase)}.`,
    );
  }
  return act(context, request, "advance", "operate", body, via);
}

/** The short verbs, under the host's own base path. */
export const aliasRoutes: readonly RouteEntry<CallContext>[] = [
  [
    "GET",
    "/flags",
    async ({ context }) => {
      requireRole(context.principal, "read");
      return answer(context);
    },
  ],
  [
    "POST",
    "/flags",
    async ({ context, request }) => {
      const body = await bodyOf(request);
      const name = String(body["flag"]);
      const setting = Object.hasOwn(settings, name) ? settings[name] : undefined;
      if (setting === undefined || typeof body["enabled"] !== "boolean") {
        throw new HebraError(
          "INVALID_OPTIONS",
          `The body needs a \`flag\` (one of ${Object.keys(settings).join(", ")}) and \`enabled\`: true or false.`,
        );
      }
      if (name === "shadow_mode" && body["enabled"]) return enableShadow(context, request, body, "flags");
      return act(context, request, body["enabled"] ? setting.on : setting.off, setting.role, body, "flags");
    },
  ],
  [
    "POST",
    "/enable-shadow-mode",
    async ({ context, request }) => enableShadow(context, request, await bodyOf(request), "enable-shadow-mode"),
  ],
  [
    "POST",
    "/migrate-to-v2",
    async ({ context, request }) => act(context, request, "cutover", "operate", await bodyOf(request), "migrate-to-v2"),
  ],
  [
    "POST",
    "/rollback-to-v1",
    async ({ context, request }) =>
      act(context, request, "rollback", "operate", await bodyOf(request), "rollback-to-v1"),
  ],
  [
    "POST",
    "/complete-v1-deprecation",
    async ({ context, request }) =>
      act(context, request, "retire", "approve", await bodyOf(request), "complete-v1-deprecation"),
  ],
];
