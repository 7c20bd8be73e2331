import { HebraError } from "@hebra/core";
import { randomUUID } from "node:crypto";
import type { FlagdFlag, FlagDocument, RolloutConfig } from "../evaluate/types.ts";
import { ALL_FLAGS, parseFlagDocument } from "../evaluate/document.ts";
import { checkCommand, policyOf } from "../rollout/policy.ts";
import { changeFlag, policyIn, withRollout, type CallContext } from "./context.ts";
import { keepKills } from "./kill.ts";
import { requireRole } from "./tokens.ts";
import { flagsOf, readView, type FlagView } from "./view.ts";

/** The flag and what it depends on: the others have no say in its share, and there may be hundreds. */
function around(document: FlagDocument, key: string): FlagDocument {
  const keys = new Set([ALL_FLAGS, key]);
  for (const one of keys) for (const { flag } of document.rollouts?.[one]?.prerequisites ?? []) keys.add(flag);
  const only = <T>(entries: Readonly<Record<string, T>> = {}) =>
    Object.fromEntries(Object.entries(entries).filter(([name]) => keys.has(name)));
  return { ...document, flags: only(document.flags), rollouts: only(document.rollouts) };
}

/** Sessions that nobody has: which of them would get the new engine shows a flag's share, whatever rule gives it. */
const SAMPLE = 2_000;

async function shareOf(context: CallContext, key: string, view: FlagView): Promise<number> {
  const { document, overrides } = view;
  const listed = Object.keys(document.rollouts?.[key]?.environments ?? {});
  const environments = [context.environment, undefined, ...listed];
  let share = 0;
  for (const environment of new Set(environments)) {
    const flags = await flagsOf({ document: around(document, key), overrides }, environment);
    let fresh = 0;
    for (let at = 0; at < SAMPLE; at++) {
      const id = randomUUID();
      if (flags.decide(key, { session: id, project: id, org: id }).mode === "new") fresh++;
    }
    await flags.close();
    share = Math.max(share, fresh / SAMPLE);
  }
  return share;
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

/** Twice the sampling error of a share, so that a permitted percentage is never refused by chance. */
const margin = (share: number): number => 4 * Math.sqrt((share * (1 - share)) / SAMPLE) + 1e-9;

/**
 * Sets a flag's entries. A kill stays; a share over the policy's `maxPercent` needs a rollout.
 *
 * @throws HebraError `POLICY_REFUSED`, `FORBIDDEN`, `REVISION_CONFLICT`, `FLAG_INVALID`
 */
export async function setFlag(
  context: CallContext,
  key: string,
  given: { readonly flag?: unknown; readonly rollout?: unknown; readonly reason: string; readonly ifMatch: string },
): Promise<FlagDocument> {
  const policy = policyIn(context);
  checkCommand(policy, key, "set", context.principal.name, context.clock.now());
  // Hand-written rules can let anybody through, and no sample shows it.
  if ((given.flag as { readonly targeting?: unknown } | undefined)?.targeting !== undefined)
    requireRole(context.principal, "approve");
  const change = (before: FlagDocument): FlagDocument => {
    const next =
      given.flag === undefined ? before : { ...before, flags: { ...before.flags, [key]: given.flag as FlagdFlag } };
    if (given.rollout === undefined) return next;
    return withRollout(next, key, (rollout) => keepKills(rollout, given.rollout as RolloutConfig));
  };
  if (given.rollout !== undefined && !isObject(given.rollout))
    throw new HebraError("FLAG_INVALID", `\`rollouts.${key}\` must be an object.`);
  const view = await readView(context.documents, context.service.store);
  const before = view.document;
  const after = change(before);
  // A sample of decisions needs an entry that can be decided by.
  parseFlagDocument({
    flags: given.flag === undefined ? {} : { [key]: given.flag },
    rollouts: given.rollout === undefined ? {} : { [key]: after.rollouts?.[key] },
  });
  const limit = policyOf(policy, key).maxPercent / 100;
  const share = await shareOf(context, key, { ...view, document: after });
  if (share > limit + margin(limit) && share > (await shareOf(context, key, view)) + margin(share))
    throw new HebraError(
      "POLICY_REFUSED",
      `This would give ${(share * 100).toFixed(0)} % of sessions to the new engine. The policy (version ${policy.version}) allows ${limit * 100} % without a rollout; start one, or have the policy changed.`,
      { details: { share, maxPercent: limit * 100 } },
    );
  const { reason, ifMatch } = given;
  return (await changeFlag(context, key, { action: "set", reason, ifMatch }, change)).document;
}
