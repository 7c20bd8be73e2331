import { HebraError, type JsonObject, type JsonValue } from "@hebra/core";
import type { TraceContext } from "@hebra/bus";
import * as z from "zod";
import type { ChannelMessage } from "./channel.ts";
import type { ReplyPiece } from "./reply-pieces.ts";
import type { PendingApproval } from "./pending-approval.ts";

/** Where the answer of a turn goes. */
export interface ReplyTo {
  gatewayId: string;
  channel: string;
  chat: string;
  inReplyTo: string;
  /** The channel shows growing replies. */
  deltas: boolean;
  /** Nobody waits for an answer: none is sent. */
  silent?: boolean | undefined;
}

/** What lies in a conversation's mailbox. */
export type InboundPayload =
  | { kind: "message"; message: ChannelMessage; replyTo: ReplyTo }
  | { kind: "wake"; contextId: string };

/** Where a reply is stored. */
export interface OutboxPlace {
  contextId: string;
  id: string;
}

/** What lies in a gateway's mailbox. The outbox keeps the same. */
export type OutboundPayload =
  | {
      kind: "reply";
      replyTo: ReplyTo;
      text: string;
      index: number;
      executionId?: string;
      failure?: string;
      trace?: TraceContext;
      /** Which part of the text this is, where one message cannot hold it. */
      piece?: ReplyPiece;
      /** The outbox row that is marked once the reply was sent. Absent where there is none. */
      row?: OutboxPlace;
      /** The row was found late, so that the reply may have been sent before. */
      again?: boolean;
    }
  | { kind: "waiting"; replyTo: ReplyTo; executionId: string; approvals: PendingApproval[]; trace?: undefined }
  | { kind: "delta"; replyTo: ReplyTo; text: string; index: number; executionId: string; trace?: undefined };

const text = z.string();
const replyTo = z.object({
  gatewayId: text,
  channel: text,
  chat: text,
  inReplyTo: text,
  deltas: z.boolean(),
  silent: z.boolean().optional(),
});
const trace = z.object({ traceparent: text, tracestate: text.optional() });
const inbound = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("message"), message: z.looseObject({ id: text, chat: text }), replyTo }),
  z.object({ kind: z.literal("wake"), contextId: text }),
]);
const outbound = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("reply"),
    replyTo,
    text,
    index: z.number(),
    executionId: text.optional(),
    failure: text.optional(),
    trace: trace.optional(),
    piece: z.object({ index: z.number(), count: z.number() }).optional(),
    row: z.object({ contextId: text, id: text }).optional(),
    again: z.boolean().optional(),
  }),
  z.object({
    kind: z.literal("waiting"),
    replyTo,
    executionId: text,
    approvals: z.array(
      z.object({
        id: text,
        action: text,
        input: z.json().optional(),
        reason: text.optional(),
        expiresAt: z.number().optional(),
        token: text.optional(),
      }),
    ),
  }),
  z.object({ kind: z.literal("delta"), replyTo, text, index: z.number(), executionId: text }),
]);

/** @throws HebraError `ENVELOPE_INVALID` */
export function readInbound(payload: JsonValue): InboundPayload {
  return read(inbound, payload) as unknown as InboundPayload;
}

/** @throws HebraError `ENVELOPE_INVALID` */
export function readOutbound(payload: JsonValue): OutboundPayload {
  return read(outbound, payload) as OutboundPayload;
}

/** The address in an execution's correlation, if it has one. */
export function replyToOf(correlation: JsonObject): ReplyTo | undefined {
  const found = replyTo.safeParse(correlation["replyTo"]);
  return found.success ? found.data : undefined;
}

/** A value that zod or TypeScript vouches for, as JSON. */
export const asJson = (value: object): JsonObject => value as unknown as JsonObject;

function read(schema: z.ZodType, payload: JsonValue): unknown {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new HebraError(
    "ENVELOPE_INVALID",
    `A message's payload cannot be read: \`${issue?.path.join(".") ?? ""}\` ${issue?.message ?? "is wrong"}. It is in the dead letters.`,
  );
}
