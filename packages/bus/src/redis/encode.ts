import { hash } from "node:crypto";
import type { Entry, ExchangeReply, ExchangeRequest, RawLease, Settle, Space } from "../backend.ts";
import { textOf } from "../envelope.ts";
import { deadLettersPerTenant } from "../mailbox/dead-letter-limits.ts";

/** A duplicate's mark: 96 bits of a digest as 16 characters, after two that choose one of 1 024 small hashes. */
export function dedupDigest(space: Space, conversation: string, key: string): string {
  const digest = hash("sha1", `${space}\n${conversation}\n${key}`, "base64url");
  return digest[0]! + (digest.charCodeAt(1) & 15).toString(16) + digest.slice(2, 18);
}

/** An entry as the scripts take it. */
export function entryArgs(space: Space, entry: Entry): string[] {
  const flags = (entry.interrupt ? 1 : 0) + (entry.high ? 2 : 0);
  const digest = entry.dedupKey === undefined ? "" : dedupDigest(space, entry.conversation, entry.dedupKey);
  return [entry.conversation, digest, entry.id, textOf(entry.body), String(entry.delayMs), String(flags)];
}

function settleArgs(settle: Settle): string[] {
  const head = [settle.kind, settle.conversation, String(settle.fence)];
  switch (settle.kind) {
    case "ack":
      return [
        ...head,
        String(settle.count),
        String(settle.replies.length),
        ...settle.replies.flatMap((reply) => [reply.space, ...entryArgs(reply.space, reply)]),
      ];
    case "retry":
    case "release":
      return [...head, String(settle.delayMs)];
    case "dead":
      return [
        ...head,
        settle.record.cause,
        String(settle.record.attempts),
        settle.record.signature,
        settle.together ? "1" : "0",
      ];
    case "park":
      return [...head, settle.record.cause, String(settle.record.attempts), settle.record.signature];
    case "watch":
      return head;
  }
}

/** Dead letters kept, and of those one tenant's, as scripts take it. */
export function maxDeadArg(settings: Parameters<typeof deadLettersPerTenant>[0]): string {
  return `${settings.maxDeadLetters}:${deadLettersPerTenant(settings)}`;
}

/** What of the settings the exchange script needs. */
export interface ExchangeSettings {
  readonly dedupWindowMs: number;
  readonly maxDeadLetters: number;
  readonly maxDeadLettersPerTenant?: number | undefined;
  readonly limited: boolean;
}

/** The request as the script takes it, after time and space. */
export function exchangeArgs(request: ExchangeRequest, settings: ExchangeSettings): string[] {
  const head = [
    request.requester,
    request.requestId,
    request.holder,
    request.want,
    request.perConversation,
    request.leaseMs,
    settings.dedupWindowMs,
    maxDeadArg(settings),
  ];
  const args = [...head.map(String), settings.limited ? "1" : "0", String(request.settles.length)];
  for (const settle of request.settles) args.push(...settleArgs(settle));
  return args;
}

/** The script's answer. */
export function exchangeReply(reply: unknown): ExchangeReply {
  const [settled, flat, due] = reply as [number[], (string | number)[], number];
  const leases: RawLease[] = [];
  for (let at = 0; at < flat.length;) {
    const [conversation, fence, attempt, count] = flat.slice(at, (at += 4)) as [string, string, number, number];
    leases.push({ conversation, fence: Number(fence), attempt, bodies: flat.slice(at, (at += count)) as string[] });
  }
  return {
    settled,
    leases,
    nextDueMs: due < 0 ? undefined : Number(due),
  };
}
