import { HebraError } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import { executionIdOf } from "../../engine/rows/new-rows.ts";
import type { Snapshot, ThreadStore } from "../../store/store.ts";
import type { Carried, CarriedMessage } from "../carried.ts";
import type { MovedMessage } from "./journal.ts";

/**
 * @throws HebraError `DIGEST_MISMATCH` when a message that was moved is not there, or stands in another order than it
 * waited in
 */
export async function verifyMoved(store: ThreadStore, carried: Carried, noted: readonly MovedMessage[]): Promise<void> {
  await verifyQueued(store, noted);
  const kept = await carried.list();
  verifyCarried(kept, noted);
}

async function verifyQueued(store: ThreadStore, noted: readonly MovedMessage[]): Promise<void> {
  const conversations = new Map<string, { tenant: string; session: string; triggerIds: string[] }>();
  for (const { kind, tenant, session, triggerId } of noted) {
    if (kind !== "queued" || triggerId === undefined) continue;
    const key = JSON.stringify([tenant, session]);
    const entry = conversations.get(key) ?? { tenant, session, triggerIds: [] };
    entry.triggerIds.push(triggerId);
    conversations.set(key, entry);
  }
  for (const { tenant, session, triggerIds } of conversations.values()) {
    const snapshot = await store.load(tenant, { key: session });
    if (snapshot === undefined) throw missing(`The conversation ${session} is not in the copy.`, { tenant, session });
    const waiting = waitingIn(snapshot);
    let last = -1;
    for (const triggerId of triggerIds) {
      const place = waiting.indexOf(triggerId);
      if (place === -1) {
        // It had begun, or was heard by another turn, before the move.
        const known = await store.execution(tenant, executionIdOf(tenant, snapshot.context.id, triggerId));
        const bundle = known === undefined ? await store.export(tenant, snapshot.context.id) : undefined;
        if (known === undefined && bundle?.triggers?.some((one) => one.triggerId === triggerId) !== true)
          throw missing(`The message ${triggerId} of the conversation ${session} is not in the copy.`, {
            tenant,
            session,
          });
      } else if (place < last) {
        throw missing(`The messages of the conversation ${session} stand in another order than they waited in.`, {
          tenant,
          session,
        });
      } else last = place;
    }
  }
}

/** The triggers that wait in a conversation, in the order in which they will be heard. */
function waitingIn({ queued }: Snapshot): string[] {
  return queued.map(({ execution }) => execution.triggerId);
}

function verifyCarried(kept: readonly CarriedMessage[], noted: readonly MovedMessage[]): void {
  const places = new Map<string, number>();
  const last = new Map<string, number>();
  const name = (direction: string, { tenant, session, id }: { tenant: string; session: string; id: string }) =>
    JSON.stringify([direction, tenant, session, id]);
  kept.forEach((message, place) => places.set(name(message.direction, message), place));
  for (const message of noted) {
    if (message.kind === "queued") continue;
    const direction = message.kind === "reply" ? "outbound" : "inbound";
    const place = places.get(name(direction, message));
    // One for later whose time came during the move is queued, or noted as another.
    if (place === undefined) {
      if (
        message.kind === "scheduled" &&
        noted.some(
          ({ kind, tenant, session, id }) =>
            kind !== "scheduled" &&
            kind !== "reply" &&
            tenant === message.tenant &&
            session === message.session &&
            id === message.id,
        )
      )
        continue;
      throw missing(
        `The ${message.kind === "reply" ? "reply" : "message"} ${message.id} of the conversation ${message.session} is not in the copy.`,
        { tenant: message.tenant, session: message.session },
      );
    }
    if (message.kind !== "reply") continue;
    const line = JSON.stringify([message.tenant, message.session]);
    if (place < (last.get(line) ?? -1))
      throw missing(`The replies of the conversation ${message.session} stand in another order than they waited in.`, {
        tenant: message.tenant,
        session: message.session,
      });
    last.set(line, place);
  }
}

/** @throws HebraError `DIGEST_MISMATCH` when something is on the bus that was to be empty */
export async function verifyEmpty(bus: Bus): Promise<void> {
  const { inbound, outbound } = await bus.stats();
  const left = inbound.depth + inbound.scheduled + outbound.depth + outbound.scheduled;
  if (left > 0)
    throw missing(
      `${left} messages have reached the old bus meanwhile: something still publishes there. End it, and run this again.`,
      { inbound: inbound.depth + inbound.scheduled, outbound: outbound.depth + outbound.scheduled },
    );
}

const missing = (message: string, details: Record<string, string | number>) =>
  new HebraError("DIGEST_MISMATCH", message, { details });
