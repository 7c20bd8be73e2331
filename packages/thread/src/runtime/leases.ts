import { HebraError } from "@hebra/core";
import type { Bus, Claim, ConversationAddress, ConversationLease } from "@hebra/bus";
import { lockKey, type Lease, type LockManager } from "@hebra/lock";

/**
 * A delivery's lease as the engine takes it. Its release settles nothing: the worker does, once it knows how the turn
 * went.
 */
export interface DeliveryLease extends Lease {
  /** Resolves when the engine has let go. */
  readonly released: Promise<void>;
}

/** Lets the engine work under the lease of a delivery. */
export function deliveryLease(delivery: ConversationLease): DeliveryLease {
  let letGo = () => {};
  const released = new Promise<void>((resolve) => (letGo = resolve));
  return {
    key: lockKey(delivery.tenant, delivery.session),
    fence: delivery.fence,
    signal: delivery.signal,
    extend: () => delivery.extend(),
    release: async () => letGo(),
    released,
  };
}

/**
 * The bus as the engine's lock manager: a direct call waits in the conversation's mailbox, behind the messages that
 * were
 * there before.
 *
 * @param attend - sees to what reaches a conversation while it is claimed. @returns ends the claim: what the turns
 * under it have to send goes out with it
 */
export function busLocks(bus: Bus, attend: (claim: Claim) => () => Promise<void>): LockManager {
  return {
    async acquire(key, { waitMs, signal } = {}) {
      const options = { ...(waitMs === undefined ? {} : { waitMs }), ...(signal === undefined ? {} : { signal }) };
      const claim = await bus.claim(conversationOf(key), options);
      const end = attend(claim);
      let released: Promise<void> | undefined;
      return {
        key,
        fence: claim.fence,
        signal: claim.signal,
        extend: () => claim.extend(),
        release: () => (released ??= end()),
      };
    },
    seed: (key, lastFence) => bus.seedFence(conversationOf(key), lastFence),
    async close() {},
  };
}

/** What `lockKey` made a key of. @throws HebraError `INVALID_ID` */
export function conversationOf(key: string): Required<ConversationAddress> {
  const [tenant, session, ...rest] = key.split("/").map((part) => part.replaceAll("%2F", "/").replaceAll("%25", "%"));
  if (tenant === undefined || session === undefined || rest.length > 0)
    throw new HebraError("INVALID_ID", `${key} is no key of a tenant's session.`);
  return { tenant, session };
}
