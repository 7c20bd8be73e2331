import { errorMessage, sleep } from "@hebra/core";
import type { Delivery } from "@hebra/bus";
import type { TurnHandle } from "../engine/handle.ts";
import { asJson, type ReplyTo } from "./payloads.ts";
import type { RuntimeServices } from "./services.ts";

/** Milliseconds between two deltas of a turn: what chats allow, and what eyes want. */
const DELTA_EVERY_MS = 300;

/** Characters of a delta at most: a longer text is shown by its reply. */
const MAX_DELTA = 16_384;

/**
 * Tells the gateway how a reply grows: the whole text so far, numbered, at most every 300 ms, in the conversation's
 * outbound
 * mailbox, so that no delta overtakes another or follows the reply.
 *
 * @returns stops, once what was sent is on the bus
 */
export function publishDeltas(
  services: RuntimeServices,
  delivery: Delivery,
  handle: TurnHandle,
  replyTo: ReplyTo,
): () => Promise<void> {
  const { bus, clock, logger } = services;
  const { tenant, session } = delivery;
  const stop = new AbortController();
  let text = "";
  let step = "";
  let shown = "";
  const reading = handle.stream[Symbol.asyncIterator]();

  async function read(): Promise<void> {
    for (;;) {
      const { value: event, done } = await reading.next();
      if (done === true || stop.signal.aborted) return;
      if (event.type !== "part-delta" && event.type !== "step-reset") continue;
      const key = `${event.stepId}.${"attempt" in event ? event.attempt : 0}`;
      if (key !== step || event.type === "step-reset") [step, text] = [key, ""];
      if (event.type === "part-delta") text += String(event.data["delta"] ?? "");
    }
  }

  async function send(): Promise<void> {
    for (let index = 0; !stop.signal.aborted;) {
      await sleep(clock, DELTA_EVERY_MS, stop.signal).catch(() => undefined);
      if (stop.signal.aborted || text === shown || text === "" || text.length > MAX_DELTA) continue;
      shown = text;
      const payload = asJson({ kind: "delta", replyTo, text, index, executionId: handle.executionId });
      await bus.publishOutbound({
        tenant,
        session,
        gatewayId: replyTo.gatewayId,
        id: `${handle.executionId}:delta:${delivery.fence}:${index}`,
        seq: index,
        payload,
      });
      index++;
    }
  }

  const failed = (error: unknown) =>
    logger.debug("Deltas of a reply could not be shown.", { error: errorMessage(error) });
  const reader = read().catch(failed);
  const sender = send().catch(failed);
  return async () => {
    stop.abort();
    void reading.return?.();
    void reader;
    await sender;
  };
}
