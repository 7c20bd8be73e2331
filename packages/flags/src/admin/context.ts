import { digest, HebraError, sleep, systemClock, type Clock } from "@hebra/core";
import { ALL_FLAGS } from "../evaluate/document.ts";
import type { FlagDocument, GlobalRollout, RolloutConfig } from "../evaluate/types.ts";
import type { IncidentStore } from "../incident/incident.ts";
import type { Notifier } from "../rollout/notifier.ts";
import type { RolloutPlan } from "../rollout/plan.ts";
import { defaultPolicy, type RolloutPolicy } from "../rollout/policy.ts";
import type { RolloutService } from "../rollout/service.ts";
import type { AuditEntry, AuditLog } from "./audit.ts";
import type { FlagDocumentStore } from "./documents.ts";
import { ifMatches } from "./etags.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import type { Principal } from "./tokens.ts";

/** What all routes share. */
export interface AdminContext {
  readonly documents: FlagDocumentStore;
  readonly service: RolloutService;
  readonly audit: AuditLog;
  readonly incidents: IncidentStore | undefined;
  readonly notifiers: readonly Notifier[];
  readonly environment: string | undefined;
  readonly alias: { readonly flag: string; readonly plan: RolloutPlan } | undefined;
  readonly usage: (() => { readonly unpinned: number }) | undefined;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  /** Tells event streams that something changed. */
  readonly changed: () => void;
}

/** The policy in force: the service's, else the strict defaults. */
export const policyIn = ({ service }: AdminContext): RolloutPolicy => service.policy ?? defaultPolicy;

/** The same, for one request. */
export interface CallContext extends AdminContext {
  readonly principal: Principal;
}

/** The entries of one flag, for its ETag and for the audit. */
export function entriesOf(
  document: FlagDocument,
  key: string,
): { readonly flag: unknown; readonly rollout: unknown } | undefined {
  const flag = Object.hasOwn(document.flags, key) ? document.flags[key] : undefined;
  const rollout =
    document.rollouts !== undefined && Object.hasOwn(document.rollouts, key) ? document.rollouts[key] : undefined;
  return flag === undefined && rollout === undefined ? undefined : { flag: flag ?? null, rollout: rollout ?? null };
}

/** An ETag over a flag's entries; `"none"` for a flag that is not there. */
export function etagOf(document: FlagDocument, key: string): string {
  const entries = entriesOf(document, key);
  return entries === undefined ? '"none"' : `"${digest(entries).slice(0, 32)}"`;
}

/** How often a change is tried again while other changes of the document come between. */
const ATTEMPTS = 100;

type Changed = { readonly document: FlagDocument; readonly revision: number; readonly audited: boolean };

/** A change of one flag, with its audit entry. Writers that come between are seen by the document's revision. */
export function changeFlag(...call: Parameters<typeof changeNow>): Promise<Changed> {
  const [{ documents }, , { action }] = call;
  // A kill never waits behind edits.
  return oneAtATime(documents, action === "kill" ? "kill" : "change", () => changeNow(...call));
}

async function changeNow(
  context: CallContext,
  key: string,
  about: { readonly action: AuditEntry["action"]; readonly reason: string; readonly ifMatch?: string | null },
  /** @param rejected - keys of flags that are stored and cannot be used */
  change: (document: FlagDocument, rejected: readonly string[]) => FlagDocument,
): Promise<Changed> {
  const { documents, audit, principal, clock } = context;
  for (let attempt = 1; ; attempt++) {
    const { document, revision, rejected } = await documents.read();
    const etag = etagOf(document, key);
    if (about.ifMatch !== undefined && about.ifMatch !== null && !ifMatches(about.ifMatch, etag, etag !== '"none"')) {
      throw new HebraError("REVISION_CONFLICT", `The flag ${key} was changed since it was read.`, {
        details: { etag },
      });
    }
    const next = change(document, Object.keys(rejected ?? {}));
    try {
      const written = await documents.write(next, revision);
      const digestOf = (of: FlagDocument) => (entriesOf(of, key) === undefined ? "" : digest(entriesOf(of, key)));
      const entry = {
        at: new Date(clock.now()).toISOString(),
        actor: principal.name,
        action: about.action,
        flag: key,
        reason: about.reason,
        from: digestOf(document),
        to: digestOf(next),
        revision: written,
      } as const;
      // The change is in force whether or not its record could be kept: the answer must not say otherwise.
      const audited = await audit.append(entry).then(
        () => true,
        (error: unknown) => {
          context.onError(error);
          return false;
        },
      );
      context.changed();
      return { document: next, revision: written, audited };
    } catch (error) {
      // Somebody changed another flag of the same document: that is no conflict for this one.
      if (!(HebraError.isInstance(error) && error.code === "REVISION_CONFLICT") || attempt === ATTEMPTS) throw error;
      await sleep(systemClock, 2 + Math.random() * 8 * Math.min(attempt, 10));
    }
  }
}

/** The document with another rollout entry of a flag, its version raised; the entry for all flags has none. */
export function withRollout(
  document: FlagDocument,
  key: string,
  change: (rollout: RolloutConfig | undefined) => Omit<RolloutConfig, "version"> | GlobalRollout,
): FlagDocument {
  const before =
    document.rollouts !== undefined && Object.hasOwn(document.rollouts, key) ? document.rollouts[key] : undefined;
  const after = key === ALL_FLAGS ? change(before) : { ...change(before), version: (before?.version ?? 0) + 1 };
  return { ...document, rollouts: { ...document.rollouts, [key]: after as RolloutConfig } };
}
