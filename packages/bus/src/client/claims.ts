import { assertId, HebraError } from "@hebra/core";
import { lockKey } from "@hebra/lock";
import type { TicketReply } from "../backend.ts";
import { INBOUND, listen, type BusCore } from "./bus-core.ts";
import type { Claim, ClaimOptions, ConversationAddress } from "../bus.ts";
import type { SettleAndClaimBatcher } from "./settle-and-claim.ts";
import { lostAt } from "./lease-keeper.ts";
import { ConversationLease } from "./conversation-lease.ts";

/** Milliseconds after which a waiting ticket asks where it stands, unprompted. */
const POLL_MS = 1_000;

/** Takes a conversation for a direct call: see `Bus.claim`. */
export async function claim(
  core: BusCore,
  batcher: SettleAndClaimBatcher,
  closing: AbortSignal,
  address: ConversationAddress,
  options: ClaimOptions,
): Promise<Claim> {
  const { tenant = "default", session } = address;
  assertId(tenant, "tenant");
  assertId(session, "session");
  const { waitMs = 30_000, signal } = options;
  if (Number.isNaN(waitMs) || waitMs < 0)
    throw new HebraError("INVALID_OPTIONS", "claim: `waitMs` must be a number of milliseconds, zero or more.");
  const assertWanted = () => {
    if (signal?.aborted === true) throw new HebraError("ABORTED", "The claim was aborted.", { cause: signal.reason });
    if (closing.aborted) throw new HebraError("CLOSED", "The bus was closed while a claim waited.");
  };
  assertWanted();
  const { backend, clock, settings, holder } = core;
  const conversation = lockKey(tenant, session);
  const ticket = core.ids();
  const giveUpAt = clock.monotonic() + waitMs;
  const alarm = createAlarm();
  const stopListening = listen(core, INBOUND, conversation, alarm.ring);
  const cancelDeadline = waitMs === Infinity ? () => {} : clock.after(waitMs, alarm.ring);
  signal?.addEventListener("abort", alarm.ring, { once: true });
  closing.addEventListener("abort", alarm.ring, { once: true });
  let asked = false;
  try {
    for (;;) {
      const sentAt = clock.monotonic();
      const reply = await ask(asked);
      asked = true;
      if (typeof reply === "object") return held(reply.fence, sentAt);
      if (reply === "busy" || clock.monotonic() >= giveUpAt) {
        throw new HebraError(
          "LOCK_TIMEOUT",
          `The conversation ${tenant}/${session} did not become free within ${waitMs} ms.`,
          { details: { tenant, session, waitMs } },
        );
      }
      assertWanted();
      const cancelPoll = clock.after(Math.min(POLL_MS, settings.leaseMs / 3), alarm.ring);
      await alarm.heard();
      cancelPoll();
    }
  } catch (error) {
    if (waitMs > 0 || !HebraError.isInstance(error) || error.code !== "LOCK_TIMEOUT")
      backend.cancelTicket(conversation, ticket, holder).catch(() => undefined);
    throw error;
  } finally {
    stopListening();
    cancelDeadline();
    signal?.removeEventListener("abort", alarm.ring);
    closing.removeEventListener("abort", alarm.ring);
  }

  /** Once in line, an outage only makes the wait longer. */
  async function ask(inLine: boolean): Promise<TicketReply> {
    try {
      return await backend.ticket({ conversation, ticket, holder, ttlMs: settings.leaseMs, tryOnly: waitMs === 0 });
    } catch (error) {
      if (!inLine) throw error;
      return "waiting";
    }
  }

  function held(fence: number, sentAt: number): Claim {
    const parts = {
      space: INBOUND,
      partition: backend.partitionOf(conversation),
      conversation,
      tenant,
      session,
      fence,
      attempt: 1,
    };
    const lease = new ConversationLease(core, {
      ...parts,
      deadline: lostAt(sentAt, settings.leaseMs),
      messages: [],
      leased: 1,
      batcher,
      freed: () => {},
    });
    try {
      assertWanted();
    } catch (error) {
      lease.release().catch(() => undefined);
      throw error;
    }
    return lease;
  }
}

/** Something that can be awaited again and again; rings that nobody awaits are kept. */
function createAlarm(): { ring: () => void; heard: () => Promise<void> } {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async heard() {
      if (!rung) await new Promise<void>((resolve) => (wake = resolve));
      rung = false;
      wake = undefined;
    },
  };
}
