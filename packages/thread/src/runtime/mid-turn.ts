import { errorMessage, HebraError } from "@hebra/core";
import type { ReceivedMessage, ConversationLease } from "@hebra/bus";
import type { TurnHandle } from "../engine/handle.ts";
import { busyReply } from "./busy-reply.ts";
import { readInbound, type InboundPayload } from "./payloads.ts";
import type { RoutedMessage } from "./route.ts";
import type { RuntimeServices } from "./services.ts";
import type { Taken } from "./taken.ts";
import { insideTrace } from "./trace.ts";
import { triggerOf } from "./trigger-of.ts";

/** What reached a conversation while somebody held it. */
export interface MidTurn {
  /** Takes no more; resolves when what was taken has been dealt with. */
  stop(): Promise<void>;
}

/** Messages of one conversation that are taken in one go. */
const TAKE = 16;

/**
 * Further messages of a conversation reach it while a turn runs, where the policy of their definition wants them to:
 * `steer`,
 * `merge` and `interrupt` hand them to the engine, `reject` answers them at once and writes nothing.
 *
 * @param taken - gets what was taken, in order: what is in front of it is settled first
 */
export function listenForMore(services: RuntimeServices, tenure: ConversationLease, taken: Taken[]): MidTurn {
  const { logger, threads } = services;
  const wanted = threads.some(({ policy }) => policy.whenBusy !== "queue");
  let taking = Promise.resolve();
  let stopped = false;
  // Messages are settled from the first on: behind one that could not be taken, none may be.
  let broken = false;
  const take = async (interrupt: boolean) => {
    if (stopped || broken || !(wanted || interrupt)) return;
    // The interrupting message begins a turn, for which the router chooses again.
    if (interrupt && services.engineSwitch !== undefined) return cancelRunning(services, tenure);
    for (const message of await tenure.take({ max: TAKE }))
      taken.push(await insideTrace(services.telemetry, message.trace, () => takeIn(services, tenure, message)));
  };
  const stopListening = tenure.onMore(({ interrupt }) => {
    taking = taking
      .then(() => take(interrupt))
      .catch((error: unknown) => {
        broken = true;
        logger.debug("Messages that came in mid-turn wait for the next one.", { error: errorMessage(error) });
      });
  });
  return {
    async stop() {
      stopped = true;
      stopListening();
      await taking;
    },
  };
}

async function cancelRunning(
  { store, engine }: RuntimeServices,
  { tenant, session }: ConversationLease,
): Promise<void> {
  const running = (await store.load(tenant, { key: session }))?.active?.execution;
  if (running?.status === "running") await engine.cancel(running.id, { tenant, reason: "interrupted" });
}

async function takeIn(services: RuntimeServices, tenure: ConversationLease, message: ReceivedMessage): Promise<Taken> {
  const { engine, bus } = services;
  const payload = readInbound(message.payload);
  if (payload.kind === "wake") return { message, executionId: undefined, refused: false, failure: undefined };
  const input = routed(tenure, payload);
  const answer = await services.route(input);
  if ("answer" in answer)
    throw new HebraError(
      "UNSUPPORTED",
      "A session was routed to another engine while a turn of this one ran; the message is delivered again after it.",
    );
  const policy = input.interrupt === true ? "interrupt" : policyOf(services, answer.thread);
  if (policy === "reject") {
    const reply = busyReply(services, message, payload.replyTo);
    if (reply !== undefined) await bus.publishOutbound({ ...reply, tenant: tenure.tenant, session: tenure.session });
    services.metrics.turn("busy", answer.thread, 0, services.clock.now() - message.enqueuedAt);
    return { message, executionId: undefined, refused: true, failure: undefined };
  }
  const trigger = triggerOf(input, payload.replyTo);
  const handle =
    services.engineSwitch === undefined
      ? await engine.react(answer.thread, trigger, {
          address: { tenant: tenure.tenant, key: tenure.session },
          whenBusy: policy,
        })
      : await services.engineSwitch.join({ tenure, definition: answer.thread, trigger, whenBusy: policy });
  return watched(message, handle);
}

/** What a definition says about triggers that find a thread busy. */
export function policyOf({ threads }: RuntimeServices, thread: string) {
  return threads.find(({ name }) => name === thread)?.policy.whenBusy ?? "queue";
}

/** A taken message that remembers why its turn was given up. */
export function watched(message: ReceivedMessage, handle: TurnHandle): Taken {
  const entry: Taken = { message, executionId: handle.executionId, refused: false, failure: undefined };
  handle.result.catch((error: unknown) => (entry.failure = error));
  return entry;
}

/** A message with its address. */
export const routed = (
  tenure: ConversationLease,
  { message, replyTo }: Extract<InboundPayload, { kind: "message" }>,
): RoutedMessage => ({
  ...message,
  tenant: tenure.tenant,
  session: tenure.session,
  channel: replyTo.channel,
});
