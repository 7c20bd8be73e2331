import type { Space } from "../backend.ts";
import { deadLettersPerTenant } from "./dead-letter-limits.ts";
import { createDeadLetterStore, type DeadLetterStore } from "./dead-letter-store.ts";
import { createDedupWindow, type DedupWindow } from "./dedup.ts";
import type { LimitsOf } from "./lanes.ts";
import { createSpace, type Conversation, type SpaceState, type TenantLimits } from "./state.ts";

/** What the state machine is given once. */
export interface MailboxSettings {
  /** Messages that a conversation may hold. */
  readonly maxBacklog: number;
  /** What happens to one more: it is refused, or the oldest that is not on lease goes to the dead letters. */
  readonly overflow: "reject" | "drop-oldest" | "block" | "shed";
  /** How long duplicates are recognised, at least. */
  readonly dedupWindowMs: number;
  /** Dead letters kept. */
  readonly maxDeadLetters: number;
  /** Dead letters kept of one tenant. @defaultValue a tenth */
  readonly maxDeadLettersPerTenant?: number | undefined;
  readonly limitsOf: LimitsOf;
}

/** News that come out of a step. */
export interface MailboxNews {
  ready(space: Space): void;
  notice(holder: string, space: Space, conversation: string, interrupt: boolean): void;
}

/** Everything that the state machine keeps. */
export interface MailboxCore {
  readonly settings: MailboxSettings;
  readonly news: MailboxNews;
  readonly spaces: Map<Space, SpaceState>;
  readonly dedup: DedupWindow;
  readonly dead: DeadLetterStore;
  /** Call tickets in line, with the time until which their issuer counts as alive. */
  readonly tickets: Map<string, number>;
  /** Leases of each holder, and whether several of them ran out. */
  readonly holders: Map<string, { leases: number; lostSeveral: boolean }>;
  /** Holders whose last lease ended in this step: they are forgotten at its end, unless they got another. */
  readonly idleHolders: Set<string>;
  /** Holders that have a conversation on trial. */
  readonly trials: Set<string>;
  lastFence: number;
}

/** Empty mailboxes. */
export function createMailboxCore(settings: MailboxSettings, news: MailboxNews): MailboxCore {
  return {
    settings,
    news,
    spaces: new Map(),
    dedup: createDedupWindow(settings.dedupWindowMs),
    dead: createDeadLetterStore(settings.maxDeadLetters, deadLettersPerTenant(settings)),
    tickets: new Map(),
    holders: new Map(),
    idleHolders: new Set(),
    trials: new Set(),
    lastFence: 0,
  };
}

/** The space of a name, created at its first use. */
export function spaceOf(core: MailboxCore, name: Space): SpaceState {
  let space = core.spaces.get(name);
  if (space === undefined) core.spaces.set(name, (space = createSpace(name)));
  return space;
}

/** A fence above all earlier ones: microseconds, or one more than the last. */
export function nextFence(core: MailboxCore, now: number): number {
  return (core.lastFence = Math.max(core.lastFence + 1, Math.floor(now * 1000)));
}

/** The limits of a conversation's tenant. */
export function limitsFor(core: MailboxCore, conversation: Conversation): TenantLimits | undefined {
  return core.settings.limitsOf?.(conversation.tenant);
}
