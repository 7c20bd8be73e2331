import { digest, type JsonValue } from "@hebra/core";
import type { ReceivedMessage, Reply } from "@hebra/bus";
import type { Snapshot } from "../store/store.ts";
import type { PendingApproval } from "./pending-approval.ts";
import { asJson, replyToOf, type ReplyTo } from "./payloads.ts";
import type { RuntimeServices } from "./services.ts";

/** Characters of an input, as JSON, that a notice shows. */
const MAX_INPUT = 2_000;
/** Approvals that a notice names. */
const MAX_APPROVALS = 20;

/**
 * Tells whoever waits for an answer that the conversation waits for a person, and by what it is decided. One notice a
 * message and set of approvals, however often the message is delivered.
 *
 * @param asked - the message whose answer does not come yet; without it the one that began the waiting turn
 */
export function waitingNotice(
  { approvalTokens }: Pick<RuntimeServices, "approvalTokens">,
  tenant: string,
  { active }: Snapshot,
  asked?: { message: ReceivedMessage; replyTo: ReplyTo },
): Reply<JsonValue> | undefined {
  if (active?.execution.status !== "waiting") return undefined;
  const replyTo = asked?.replyTo ?? replyToOf(active.execution.correlation);
  if (replyTo === undefined || replyTo.silent === true) return undefined;
  const pending = active.approvals.filter(({ status }) => status === "pending").slice(0, MAX_APPROVALS);
  if (pending.length === 0) return undefined;
  const approvals = pending.map((row): PendingApproval => {
    const call = active.calls.find(({ id }) => id === row.callRowId);
    const short = call !== undefined && JSON.stringify(call.input).length <= MAX_INPUT;
    return {
      id: row.id,
      action: call?.name ?? "unknown",
      ...(short ? { input: call.input } : {}),
      ...(row.reason === null ? {} : { reason: row.reason }),
      ...(row.expiresAt === null ? {} : { expiresAt: row.expiresAt }),
      ...(approvalTokens === undefined ? {} : { token: approvalTokens.sign(row, { tenant }) }),
    };
  });
  return {
    id: `waiting:${digest([replyTo.channel, replyTo.chat, replyTo.inReplyTo, pending.map(({ id }) => id)])}`,
    gatewayId: replyTo.gatewayId,
    seq: 0,
    ...(asked?.message.trace === undefined ? {} : { trace: asked.message.trace }),
    payload: asJson({ kind: "waiting", replyTo, executionId: active.execution.id, approvals }),
  };
}
