import { assertId, HebraError } from "@hebra/core";
import type { Entry, ReplyEntry, Space } from "../backend.ts";
import { conversationKey, directionOf, INBOUND, outboundSpace, type BusCore } from "./bus-core.ts";
import type { InboundMessage, OutboundMessage, PublishOptions, Reply } from "../bus.ts";
import type { Durability } from "../durability.ts";
import type { PublishReceipt } from "./bus-reports.ts";

/** Messages of one call that are at home in one place. */
interface Group {
  readonly space: Space;
  readonly partition: number;
  readonly entries: Entry[];
  readonly positions: number[];
}

/** The message as it goes into a mailbox. Validates everything: nothing has been written yet. */
function toEntry(core: BusCore, message: InboundMessage<unknown> & { seq?: number }): Entry {
  const { session, tenant = "default", id = core.ids(), delayMs = 0 } = message;
  assertId(session, "session");
  assertId(tenant, "tenant");
  assertId(id, "message id");
  const idempotencyKey = message.idempotencyKey ?? id;
  if (message.idempotencyKey !== undefined) assertId(idempotencyKey, "idempotency key");
  if (!Number.isFinite(delayMs) || delayMs < 0)
    throw new HebraError("INVALID_OPTIONS", "publish: `delayMs` must be a number of milliseconds, zero or more.");
  const body = core.codec.encode(
    {
      enqueuedAt: core.backend.now(),
      id,
      tenant,
      session,
      idempotencyKey,
      interrupt: message.interrupt === true,
      payload: message.payload as never,
      ...(message.seq === undefined ? {} : { seq: message.seq }),
      ...(message.trace === undefined ? {} : { trace: message.trace }),
    },
    core.backend.format,
  );
  const given = message.id !== undefined || message.idempotencyKey !== undefined;
  return {
    conversation: conversationKey(tenant, session),
    // An id made here cannot arrive twice on a backend that is never asked twice.
    dedupKey: given || core.backend.durable ? idempotencyKey : undefined,
    id,
    body,
    delayMs: Math.round(delayMs),
    interrupt: message.interrupt === true,
    high: message.priority === "high",
  };
}

/** The replies of an ack, at home where the delivery is. */
export function encodeReplies(
  core: BusCore,
  of: { tenant: string; session: string },
  replies: readonly Reply<unknown>[],
): ReplyEntry[] {
  return replies.map((reply) => {
    assertId(reply.gatewayId, "gateway id");
    return {
      ...toEntry(core, { ...reply, tenant: of.tenant, session: of.session }),
      space: outboundSpace(reply.gatewayId),
    };
  });
}

async function send(
  core: BusCore,
  groups: Iterable<Group>,
  count: number,
  durability: string,
): Promise<{ status: PublishReceipt["status"]; durable: boolean }[]> {
  const outcomes = new Array<{ status: PublishReceipt["status"]; durable: boolean }>(count);
  await Promise.all(
    Array.from(groups, async (group) => {
      const { statuses, durable } = await core.publish(group.space, group.partition, group.entries, durability);
      let accepted = 0;
      statuses.forEach((status, i) => {
        outcomes[group.positions[i]!] = { status, durable: core.backend.durable && durable };
        if (status === "accepted") accepted++;
      });
      if (accepted > 0) core.emit?.({ type: "message-accepted", direction: directionOf(group.space), count: accepted });
    }),
  );
  return outcomes;
}

const refusals = { duplicate: "message-suppressed", full: "message-refused", shed: "message-shed" } as const;

const isStored = (status: PublishReceipt["status"]) => status !== "full" && status !== "shed";

/** Publishes messages towards one direction. @returns a receipt for each, in order */
export async function publish(
  core: BusCore,
  messages: readonly (InboundMessage<unknown> | OutboundMessage<unknown>)[],
  options: PublishOptions,
  durability: string,
): Promise<PublishReceipt[]> {
  const groups = new Map<string, Group>();
  const entries = messages.map((message, position) => {
    const entry = toEntry(core, message);
    const space =
      "gatewayId" in message ? outboundSpace((assertId(message.gatewayId, "gateway id"), message.gatewayId)) : INBOUND;
    const partition = core.backend.partitionOf(entry.conversation);
    const key = `${partition} ${space}`;
    const group = groups.get(key) ?? { space, partition, entries: [], positions: [] };
    groups.set(key, group);
    group.entries.push(entry);
    group.positions.push(position);
    return entry;
  });
  const asked = (options.durability ?? durability) as Durability;
  const outcomes = await send(core, groups.values(), messages.length, asked);
  const receipts = outcomes.map((outcome, i) => {
    const { id } = entries[i]!;
    const { durable } = outcome;
    // An id that was made here can only be met again when the client sent the request twice.
    const made = messages[i]!.id === undefined && (messages[i] as InboundMessage).idempotencyKey === undefined;
    const taken = made && outcome.status === "duplicate" ? "accepted" : outcome.status;
    const status = taken === "full" && core.settings.overflow === "shed" ? "shed" : taken;
    if (status !== "accepted") {
      const { session, tenant = "default" } = messages[i]!;
      core.emit?.({
        type: refusals[status],
        direction: "gatewayId" in messages[i]! ? "outbound" : "inbound",
        tenant,
        session,
        id,
      });
    }
    const reached: Durability = durable ? asked : "memory";
    return { id, status, durable: isStored(status) && durable, durability: reached };
  });
  if (asked !== "memory" && (options.onDurabilityMissed ?? core.onDurabilityMissed) === "refuse")
    assertDurable(receipts, asked);
  return receipts;
}

/** @throws HebraError `DURABILITY_MISSED` unless every message that is stored is so as durably as asked. */
function assertDurable(receipts: readonly PublishReceipt[], asked: Durability): void {
  const missed = receipts.filter(({ status, durable }) => isStored(status) && !durable).map(({ id }) => id);
  if (missed.length === 0) return;
  throw new HebraError(
    "DURABILITY_MISSED",
    `${missed.length} of ${receipts.length} messages are stored, but not \`${asked}\` within the time for it. Publish them again with the same ids, or accept less with \`onDurabilityMissed\`.`,
    { details: { asked, ids: missed.slice(0, 100) } },
  );
}
