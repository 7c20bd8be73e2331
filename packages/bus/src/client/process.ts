import { errorCode } from "@hebra/core";
import type { Delivery, DeliveryHandler } from "../bus.ts";

/** Handles what an iteration of deliveries brings. Resolves when it has ended and every handler has returned. */
export async function processDeliveries(deliveries: AsyncIterable<Delivery>, handler: DeliveryHandler): Promise<void> {
  const running = new Set<Promise<void>>();
  for await (const delivery of deliveries) {
    const handling: Promise<void> = handle(delivery, handler).finally(() => running.delete(handling));
    running.add(handling);
  }
  await Promise.all(running);
}

async function handle(delivery: Delivery, handler: DeliveryHandler): Promise<void> {
  let settle: () => Promise<void>;
  try {
    const options = await handler(delivery);
    settle = () => delivery.ack(options ?? {});
  } catch (error) {
    settle = () => delivery.nack({ error });
  }
  try {
    await settle();
  } catch (error) {
    // Lost, closed, or settled by the handler itself: the messages are where they belong.
    if (["LEASE_LOST", "CLOSED", "ILLEGAL_TRANSITION"].includes(errorCode(error) ?? "")) return;
    // What the handler returned cannot be sent: that is a failure of its delivery.
    await delivery.nack({ error }).catch(() => undefined);
  }
}
