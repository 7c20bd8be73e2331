import { createFlags, type Flags } from "../client/create-flags.ts";
import { effectiveRollout, type EffectiveRollout } from "../evaluate/effective.ts";
import type { Decision, FlagContext, FlagDocument, FlagOverride, RolloutConfig, RuleId } from "../evaluate/types.ts";
import type { PhaseName } from "../rollout/phase.ts";
import { overrideOf } from "../rollout/state.ts";
import type { RolloutStore } from "../rollout/store/store.ts";
import type { FlagDocumentStore } from "./documents.ts";

/** The document and what the rollouts make of it, at one instant. */
export interface FlagView {
  readonly document: FlagDocument;
  readonly revision: number;
  readonly overrides: Readonly<Record<string, FlagOverride>>;
  /** Where each rollout stands. */
  readonly phases: Readonly<Record<string, PhaseName>>;
}

/** Reads both. */
export async function readView(documents: FlagDocumentStore, store: RolloutStore): Promise<FlagView> {
  const { document, revision } = await documents.read();
  // Keys come from callers: nothing may be found that nobody put there.
  const overrides = Object.create(null) as Record<string, FlagOverride>;
  const phases = Object.create(null) as Record<string, PhaseName>;
  for (const flag of await store.list()) {
    const state = await store.read(flag);
    if (state === undefined) continue;
    overrides[flag] = overrideOf(state);
    phases[flag] = state.phase.name;
  }
  return { document, revision, overrides, phases };
}

/** The flags of a view; the caller closes them. */
export async function flagsOf(
  { document, overrides }: Pick<FlagView, "document" | "overrides">,
  environment: string | undefined,
): Promise<Flags> {
  const flags = createFlags({
    provider: { name: "admin", load: () => ({ document, overrides }), close: () => Promise.resolve() },
    ...(environment === undefined ? {} : { environment }),
  });
  await flags.ready();
  return flags;
}

/** The document with every rollout's effect written into it, for processes that know documents only. */
export function mergedDocument({ document, overrides }: FlagView): FlagDocument {
  // Keys come from callers: as members of an object, `__proto__` would not be one.
  const rollouts = new Map<string, RolloutConfig>(Object.entries(document.rollouts ?? {}));
  for (const [flag, override] of Object.entries(overrides)) {
    const own = rollouts.get(flag);
    const version = Math.max(own?.version ?? 0, 0) + (override.version ?? 0);
    rollouts.set(flag, {
      ...own,
      version,
      canary: { percent: override.canaryPercent ?? own?.canary?.percent ?? 0 },
      holdBack: { percent: override.holdBackPercent ?? own?.holdBack?.percent ?? 0 },
      shadow: { ...own?.shadow, percent: override.shadowPercent ?? own?.shadow?.percent ?? 0 },
      // The format has no ceiling for modes, but a kill says the same: legacy, whatever is listed.
      ...(override.maxMode === "legacy"
        ? { kill: own?.kill ?? { at: "1970-01-01T00:00:00Z", by: "rollout", reason: "The rollout stands at legacy." } }
        : {}),
    });
  }
  return { ...document, rollouts: Object.fromEntries(rollouts) };
}

/** The rules in the order in which they are asked. */
export const ruleOrder: readonly RuleId[] = [
  "not-ready",
  "not-found",
  "invalid",
  "kill.flag",
  "kill.environment",
  "kill.global",
  "breaker",
  "environment",
  "deny.session",
  "deny.project",
  "deny.org",
  "pin.session",
  "pin.project",
  "pin.org",
  "prerequisite",
  "allow.session",
  "allow.project",
  "allow.org",
  "missing-unit",
  "hold-back",
  "canary",
  "shadow",
  "default",
];

const own = <T>(entries: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  entries !== undefined && Object.hasOwn(entries, key) ? entries[key] : undefined;

/** Why a decision came out as it did. */
export interface Explanation {
  readonly decision: Decision;
  /** What is in force for everybody: percentages in buckets of 100,000. */
  readonly effective: EffectiveRollout;
  /** Every rule that was asked, in order, up to the one that decided. */
  readonly trace: readonly { readonly rule: string; readonly outcome: "passed" | "decided" }[];
}

/** Decides and tells the way there. */
export async function explain(
  view: FlagView,
  environment: string | undefined,
  flag: string,
  context: FlagContext,
): Promise<Explanation> {
  const flags = await flagsOf(view, environment);
  try {
    const decision = flags.decide(flag, context);
    const at = ruleOrder.indexOf(decision.ruleId);
    const asked = at === -1 ? [decision.ruleId] : ruleOrder.slice(0, at + 1);
    const override = view.overrides[flag];
    const globals = view.document.rollouts?.["*"] as never as { kill?: null } | undefined;
    const effective = effectiveRollout({
      key: flag,
      rollout: own(view.document.rollouts, flag),
      kills: [],
      globals: globals === undefined ? [] : [globals],
      overrides: override === undefined ? [] : [override],
      environment,
      defaultPercent: 0,
    });
    return {
      decision,
      effective,
      trace: asked.map((rule, index) => ({ rule, outcome: index === asked.length - 1 ? "decided" : "passed" })),
    };
  } finally {
    await flags.close();
  }
}
