import type { ReceivedMessage, Reply } from "@hebra/bus";
import { asJson, type ReplyTo } from "./payloads.ts";
import type { RuntimeServices } from "./services.ts";

/**
 * What a message gets that found its thread busy and is not to wait. Its id keeps a second delivery from saying it
 * twice.
 */
export function busyReply(
  { busyText }: RuntimeServices,
  { id, trace }: ReceivedMessage,
  replyTo: ReplyTo,
): Reply | undefined {
  if (replyTo.silent === true || busyText === "") return undefined;
  return {
    id: `${id}:busy`,
    gatewayId: replyTo.gatewayId,
    seq: 0,
    ...(trace === undefined ? {} : { trace }),
    payload: asJson({ kind: "reply", replyTo, text: busyText, index: 0, failure: "THREAD_BUSY" }),
  };
}
