import { didYouMean, HebraError } from "@hebra/core";
import { ALL_FLAGS } from "../evaluate/document.ts";
import type { FlagDocument, Kill, RolloutConfig } from "../evaluate/types.ts";
import { notifyAll } from "../rollout/notifier.ts";
import { activePhase } from "../rollout/phase.ts";
import { checkCommand } from "../rollout/policy.ts";
import { changeFlag, entriesOf, policyIn, withRollout, type CallContext } from "./context.ts";

/** What is asked of a kill or an unkill. */
export interface KillRequest {
  readonly reason: string;
  /** Only in this environment. */
  readonly environment?: string;
  /** The flag is not there yet, and is to be killed before it comes. */
  readonly ahead?: boolean;
}

/** How a kill took effect: in the document, or by the rollout's rollback while the document is out of reach. */
export interface Killed {
  readonly by: "document" | "rollback";
  /** Whether the audit log has it. A kill counts also when it does not. */
  readonly audited: boolean;
}

const unavailable = (error: unknown): boolean =>
  HebraError.isInstance(error) && (error.code === "UNREACHABLE" || error.code === "STORE_FAILED");

/**
 * A misspelt key in a document that was read would kill nothing and say that it did. @throws HebraError
 * `FLAG_NOT_FOUND`
 */
function assertKnown(document: FlagDocument, others: readonly string[], key: string): void {
  const known = [...Object.keys(document.flags), ...Object.keys(document.rollouts ?? {}), ...others];
  if (key === ALL_FLAGS || known.includes(key)) return;
  const near = didYouMean(key, known);
  throw new HebraError(
    "FLAG_NOT_FOUND",
    `There is no flag ${key}${near === undefined ? "." : `; did you mean ${near}?`} To kill a flag before it is there, send \`ahead\`: true.`,
    { details: { key, ...(near === undefined ? {} : { suggestion: near }) } },
  );
}

function withKill(rollout: RolloutConfig | undefined, kill: Kill | null, environment: string | undefined) {
  if (environment === undefined) return { ...rollout, kill };
  const own = rollout?.environments?.[environment];
  return { ...rollout, environments: { ...rollout?.environments, [environment]: { active: true, ...own, kill } } };
}

async function tell(context: CallContext, key: string, on: boolean, at: string, reason: string): Promise<void> {
  const { notifiers, onError, principal, clock } = context;
  const type = on ? "flag-killed" : "flag-unkilled";
  await notifyAll(notifiers, { type, flag: key, at, reason, by: principal.name }, onError, clock);
}

/**
 * Kills a flag and tells people. Needs nobody else; while the document is out of reach a running rollout is rolled
 * back.
 */
export async function kill(context: CallContext, key: string, request: KillRequest): Promise<Killed> {
  const { principal, clock, service } = context;
  const { reason, environment, ahead = false } = request;
  const at = new Date(clock.now()).toISOString();
  // A rollout that cannot be listed keeps no kill from being written.
  const rollouts = await service.store.list().catch(() => [key]);
  let audited: boolean;
  try {
    ({ audited } = await changeFlag(context, key, { action: "kill", reason }, (document, rejected) => {
      if (!ahead) assertKnown(document, [...rollouts, ...rejected], key);
      return withRollout(document, key, (rollout) =>
        withKill(rollout, { at, by: principal.name, reason }, environment),
      );
    }));
  } catch (error) {
    const state = unavailable(error) ? await service.store.read(key).catch(() => undefined) : undefined;
    if (state === undefined || activePhase(state.phase) === undefined) throw error;
    await service.act(key, {
      event: "rollback",
      by: principal.name,
      reason: `killed while the flags were out of reach: ${reason}`,
    });
    await tell(context, key, true, at, reason);
    return { by: "rollback", audited: true };
  }
  await tell(context, key, true, at, reason);
  return { by: "document", audited };
}

/** Lifts a kill; nothing else does. */
export async function unkill(context: CallContext, key: string, request: KillRequest): Promise<void> {
  const { clock, principal } = context;
  checkCommand(policyIn(context), key, "unkill", principal.name, clock.now());
  await changeFlag(context, key, { action: "unkill", reason: request.reason }, (document) => {
    if (entriesOf(document, key) === undefined) throw new HebraError("FLAG_NOT_FOUND", `There is no flag ${key}.`);
    return withRollout(document, key, (rollout) => withKill(rollout, null, request.environment));
  });
  await tell(context, key, false, new Date(clock.now()).toISOString(), request.reason);
}

/** The kills of an entry, carried over into another: setting a flag lifts none. */
export function keepKills(before: RolloutConfig | undefined, after: RolloutConfig): RolloutConfig {
  const killed = Object.entries(before?.environments ?? {}).filter(
    ([, { kill: one }]) => one !== undefined && one !== null,
  );
  const environments = Object.fromEntries(
    killed.map(([name, { kill: one }]) => [name, { active: false, ...after.environments?.[name], kill: one! }]),
  );
  return {
    ...after,
    ...(before?.kill === undefined || before.kill === null ? {} : { kill: before.kill }),
    ...(killed.length === 0 ? {} : { environments: { ...after.environments, ...environments } }),
  };
}
