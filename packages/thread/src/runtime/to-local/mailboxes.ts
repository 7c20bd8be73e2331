import { errorCode, type Clock, type Logger } from "@hebra/core";
import type { Bus, Delivery, ReceivedMessage } from "@hebra/bus";
import { localLocks } from "@hebra/lock";
import { createEngine } from "../../engine/engine.ts";
import type { AnyThreadDefinition } from "../../definition/define-thread.ts";
import type { ThreadStore } from "../../store/store.ts";
import type { Carried } from "../carried.ts";
import { readInbound, readOutbound } from "../payloads.ts";
import type { Router } from "../route.ts";
import { triggerOf } from "../trigger-of.ts";
import type { MovedMessage, MoveJournal } from "./journal.ts";

/** What the messages of a bus are moved with. */
export interface Movers {
  bus: Bus;
  store: ThreadStore;
  threads: readonly AnyThreadDefinition[];
  route: Router;
  carried: Carried;
  journal: Pick<MoveJournal, "note">;
  clock: Clock;
  logger: Logger;
  /** The messages come from the bus over this very store, which therefore needs no wakes and holds the replies. */
  withinStore?: boolean;
}

/** Messages of one conversation that are moved together. */
const BATCH = 50;
const CONCURRENCY = 8;
/** Conversations that nobody can get at: their app lacks what they need. The move must not go on without them. */
const fatal = new Set(["DEFINITION_MISSING", "PEER_MISSING", "INVALID_OPTIONS"]);

/**
 * Takes conversations from the bus as they become free, and puts what waits in them into the store: as queued
 * executions, in
 * their order, or as it is where no execution can stand for it. Everything is in the store, and noted, before it leaves
 * the bus.
 *
 * @param isOver - asked after each delivery, and now and then
 */
export async function moveInbound(movers: Movers, isOver: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const { bus, store, threads, clock, logger } = movers;
  // It only puts triggers into the store: nothing runs.
  const engine = createEngine({ store, threads, clock, logger, locks: localLocks({ clock }), recoverEveryMs: false });

  async function put(message: ReceivedMessage): Promise<MovedMessage> {
    const { tenant, session, id, interrupt, payload: raw } = message;
    const carry = async (): Promise<MovedMessage> => {
      await movers.carried.add([{ direction: "inbound", tenant, session, id, interrupt, payload: raw }]);
      return { kind: "other", tenant, session, id };
    };
    const payload = readInbound(raw);
    if (payload.kind === "wake") return movers.withinStore === true ? { kind: "other", tenant, session, id } : carry();
    const input = { ...payload.message, tenant, session, channel: payload.replyTo.channel };
    const answer = await movers.route(input);
    if ("answer" in answer) return carry();
    const trigger = triggerOf(input, payload.replyTo);
    await engine.enqueue(answer.thread, trigger, {
      address: { tenant, key: session },
      ...(input.interrupt === true ? { whenBusy: "interrupt" as const } : {}),
    });
    return { kind: "queued", tenant, session, id, triggerId: trigger.id };
  }

  async function move(delivery: Delivery): Promise<void> {
    const done: MovedMessage[] = [];
    try {
      for (const message of delivery.messages) done.push(await put(message));
      movers.journal.note(done);
      await delivery.ack();
      movers.carried.settled(
        "inbound",
        done.filter(({ kind }) => kind === "queued"),
      );
    } catch (error) {
      if (done.length > 0) {
        movers.journal.note(done);
        await delivery.ack({ count: done.length });
        return;
      }
      if (fatal.has(errorCode(error) ?? "")) {
        await delivery.release();
        throw error;
      }
      // As a worker would: what can never be taken becomes a dead letter.
      await delivery.nack({ error });
    }
  }

  try {
    await consumeAll(
      (consuming) => bus.consumeInbound({ concurrency: CONCURRENCY, maxBatch: BATCH, signal: consuming }),
      move,
      isOver,
      signal,
    );
  } finally {
    await engine.close();
  }
}

/** Takes what is for later off the bus, and keeps it until its time in the store. */
export async function moveScheduled({ bus, carried, journal }: Movers): Promise<void> {
  for (;;) {
    const { messages } = await bus.scheduled();
    if (messages.length === 0) return;
    for (const message of messages) {
      const { tenant, session, id, at, interrupt, payload } = message;
      const carrying = { direction: "inbound" as const, tenant, session, id, at, interrupt, payload };
      await carried.add([carrying]);
      journal.note([{ kind: "scheduled", tenant, session, id }]);
      // Its time has just come: it is in its mailbox, and moved from there.
      if (!(await bus.unschedule({ tenant, session, id }))) await carried.remove(carrying);
    }
  }
}

/** Takes the replies of a gateway that no channel has got. What only showed how they grew is dropped. */
export async function moveOutbound(
  { bus, carried, journal, withinStore = false }: Movers,
  gatewayId: string,
  isOver: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  async function move(delivery: Delivery): Promise<void> {
    const replies = delivery.messages.filter(({ payload }) => {
      const read = readOutbound(payload);
      return read.kind === "reply" && !(withinStore && read.row !== undefined);
    });
    const { tenant, session } = delivery;
    await carried.add(
      replies.map(({ id, seq, payload }) => ({ direction: "outbound", tenant, session, id, gatewayId, seq, payload })),
    );
    journal.note(replies.map(({ id }) => ({ kind: "reply", tenant, session, id })));
    await delivery.ack();
  }
  await consumeAll(
    (consuming) => bus.consumeOutbound({ gatewayId, concurrency: CONCURRENCY, maxBatch: BATCH, signal: consuming }),
    move,
    isOver,
    signal,
  );
}

/** Milliseconds between two looks whether anything is left. */
const LOOK_EVERY_MS = 100;

/** Works on deliveries until a look says that it is over; the first failure ends it. */
async function consumeAll(
  consume: (signal: AbortSignal) => AsyncIterableIterator<Delivery>,
  move: (delivery: Delivery) => Promise<void>,
  isOver: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([stop.signal, signal]);
  const working = new Set<Promise<void>>();
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    stop.abort();
  };
  const consuming = (async () => {
    for await (const delivery of consume(both)) {
      const work: Promise<void> = move(delivery)
        .catch(fail)
        .finally(() => working.delete(work));
      working.add(work);
    }
  })().catch(fail);
  while (!both.aborted && !(await isOver().catch((error: unknown) => (fail(error), true))))
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  stop.abort();
  await consuming;
  await Promise.all(working);
  if (failure !== undefined) throw failure as Error;
}
