import { deriveId, errorMessage, type Clock, type JsonObject, type JsonValue, type Logger } from "@hebra/core";
import type { Bus, ReceivedMessage } from "@hebra/bus";
import * as z from "zod";
import type { ThreadStore } from "../store/store.ts";
import { OWN_TENANT, ownThread, type OwnThread } from "./own-thread.ts";

/**
 * A message of another bus that no queued execution can stand for: one for later, one of an older engine, a wake, a
 * reply.
 */
export interface CarriedMessage {
  direction: "inbound" | "outbound";
  tenant: string;
  session: string;
  id: string;
  /** Outbound: whose it is. */
  gatewayId?: string | undefined;
  /** Inbound: when it joins its mailbox, in milliseconds since the epoch; at once when absent. */
  at?: number | undefined;
  interrupt?: boolean | undefined;
  seq?: number | undefined;
  payload: JsonValue;
}

/**
 * Messages that a move has brought into the store. They are given to the bus at every start until they are done with.
 */
export interface Carried {
  /**
   * Appends to what is carried, in order; what is there under the same id stays as it is. All of one conversation and
   * direction.
   */
  add(messages: readonly CarriedMessage[]): Promise<void>;
  /** Takes one back. */
  remove(message: Pick<CarriedMessage, "direction" | "tenant" | "session" | "gatewayId" | "id">): Promise<void>;
  /** Everything that is carried, by conversation. */
  list(): Promise<CarriedMessage[]>;
  /** Gives everything to a bus. @returns how many. Once: the second call does nothing */
  restore(bus: Bus): Promise<number>;
  /** These have left the bus for good. */
  settled(
    direction: CarriedMessage["direction"],
    messages: readonly Pick<ReceivedMessage, "tenant" | "session" | "id">[],
  ): void;
  /** Resolves when what was settled is written down. */
  flush(): Promise<void>;
}

const prefix = "carried:";
const text = z.string();
const stored = z.object({
  messages: z.array(
    z.object({
      direction: z.enum(["inbound", "outbound"]),
      tenant: text,
      session: text,
      id: text,
      gatewayId: text.optional(),
      at: z.number().optional(),
      interrupt: z.boolean().optional(),
      seq: z.number().optional(),
      payload: z.json(),
    }),
  ),
});
const read = (state: JsonValue | undefined): CarriedMessage[] => stored.safeParse(state).data?.messages ?? [];
const plain = (messages: readonly CarriedMessage[]): JsonObject => ({
  messages: JSON.parse(JSON.stringify(messages)) as JsonValue,
});
const PAGE = 200;

export function carriedMessages(store: ThreadStore, clock: Clock, logger: Logger): Carried {
  const now = () => clock.now();
  /** Where a message that was restored is written down, by direction, conversation and id. */
  const places = new Map<string, string>();
  let restored: Promise<number> | undefined;
  let writing: Promise<void> = Promise.resolve();

  const nameOf = ({
    direction,
    tenant,
    session,
    id,
  }: Pick<CarriedMessage, "direction" | "tenant" | "session" | "id">) =>
    JSON.stringify([direction, tenant, session, id]);
  const keyOf = ({
    direction,
    tenant,
    session,
    gatewayId = "",
  }: Pick<CarriedMessage, "direction" | "tenant" | "session" | "gatewayId">) =>
    `${prefix}${direction}:${deriveId("carried", tenant, session, gatewayId)}`;
  const threadAt = (key: string): OwnThread => ownThread(store, key, now);

  async function change(key: string, edit: (messages: CarriedMessage[]) => CarriedMessage[]): Promise<void> {
    const thread = threadAt(key);
    const { fence, state } = await thread.open();
    await thread.write(fence, plain(edit(read(state))));
  }

  async function list(): Promise<{ key: string; messages: CarriedMessage[] }[]> {
    const all: { key: string; messages: CarriedMessage[] }[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await store.list(OWN_TENANT, {
        keyPrefix: prefix,
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const { key } of page.rows) all.push({ key, messages: read((await threadAt(key).read())?.state) });
      if (page.cursor === undefined) return all;
      cursor = page.cursor;
    }
  }

  async function give(bus: Bus): Promise<number> {
    let count = 0;
    for (const { key, messages } of await list()) {
      for (const message of messages) {
        const { direction, tenant, session, id, gatewayId = "main", at, interrupt, seq, payload } = message;
        places.set(nameOf(message), key);
        if (direction === "inbound")
          await bus.publishInbound({
            tenant,
            session,
            id,
            payload,
            delayMs: at === undefined ? 0 : Math.max(0, at - now()),
            ...(interrupt === undefined ? {} : { interrupt }),
          });
        else
          await bus.publishOutbound({ tenant, session, id, gatewayId, payload, ...(seq === undefined ? {} : { seq }) });
        count++;
      }
    }
    if (count > 0) logger.info("Messages that were brought along are on the bus.", { count });
    return count;
  }

  return {
    async add(messages) {
      const [first] = messages;
      if (first === undefined) return;
      await change(keyOf(first), (known) => [
        ...known,
        ...messages.filter(({ id }) => !known.some((one) => one.id === id)),
      ]);
    },
    remove: (message) => change(keyOf(message), (known) => known.filter(({ id }) => id !== message.id)),
    list: async () => (await list()).flatMap(({ messages }) => messages),
    restore: (bus) => (restored ??= give(bus)),
    settled(direction, messages) {
      if (places.size === 0) return;
      for (const message of messages) {
        const name = nameOf({ direction, ...message });
        const key = places.get(name);
        if (key === undefined) continue;
        places.delete(name);
        writing = writing
          .then(() => change(key, (known) => known.filter(({ id }) => id !== message.id)))
          .catch((error: unknown) =>
            logger.warn(
              "A message that was brought along could not be crossed out; a restart gives it to the bus again.",
              { error: errorMessage(error) },
            ),
          );
      }
    },
    flush: () => writing,
  };
}
