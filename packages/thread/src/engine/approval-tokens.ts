import { createHmac, timingSafeEqual } from "node:crypto";
import { assertId, HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { ApprovalRow } from "../store/rows.ts";

/** How {@link approvalTokens} are made. */
export interface ApprovalTokensOptions {
  /**
   * Secrets of at least 32 characters, the newest first: it signs, and all of them verify, so that one is replaced by
   * putting
   * another before it. Never stored, never part of a message.
   */
  secrets: readonly [string, ...string[]];
  /** Milliseconds that a token is good for at most; it never outlives its approval. @defaultValue seven days */
  ttlMs?: number;
  clock?: Clock;
}

/** Signed names of approvals, for links in mails and buttons in chats. */
export interface ApprovalTokens {
  /**
   * A token that lets whoever has it decide this one approval. @param options - `tenant`: whose it is. @defaultValue
   * "default"
   */
  sign(approval: Pick<ApprovalRow, "id" | "expiresAt">, options?: { tenant?: string }): string;
  /**
   * Which approval a token is for. @throws HebraError `APPROVAL_TOKEN_INVALID` when it was forged, damaged, or has run
   * out
   */
  verify(token: string): { tenant: string; approvalId: string };
}

const DAY_MS = 24 * 3_600_000;
/** What is signed begins so: a signature made for something else with the same secret is none of ours. */
const PURPOSE = "hebra approval v1\n";
/** Longer than any token that we sign: nothing else is looked at. */
const MAX_LENGTH = 4_096;

const schema = z.strictObject({
  secrets: z.array(z.string().min(32, "must have at least 32 characters")).min(1),
  ttlMs: z
    .number()
    .int()
    .positive()
    .default(7 * DAY_MS),
  clock: z.custom<Clock>().optional(),
});
const payloadSchema = z.strictObject({ tenant: z.string(), approvalId: z.string(), until: z.number() });

/**
 * Makes and checks tokens for approvals: HMAC-SHA-256 (https://www.rfc-editor.org/rfc/rfc2104) over the tenant, the
 * approval's id and the time until which it is good. A token says nothing secret and can be used again: the approval
 * itself
 * is decided once.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { approvalTokens, type Engine } from "@hebra/thread";
 *
 * declare const secretFromYourVault: string;
 *
 * const tokens = approvalTokens({ secrets: [secretFromYourVault] });
 *
 * export async function decide(engine: Engine, token: string, yes: boolean): Promise<void> {
 *   const { tenant, approvalId } = tokens.verify(token);
 *   await (yes ? engine.approve(approvalId, { tenant }) : engine.deny(approvalId, { tenant }));
 * }
 * ```
 */
export function approvalTokens(options: ApprovalTokensOptions): ApprovalTokens {
  const { secrets, ttlMs, clock = systemClock } = parseOptions("approvalTokens", schema, options);
  const mac = (secret: string, payload: string) =>
    createHmac("sha256", secret)
      .update(PURPOSE + payload)
      .digest();
  return {
    sign({ id, expiresAt }, { tenant = "default" } = {}) {
      assertId(id, "approval's id");
      assertId(tenant, "tenant");
      const until = Math.min(clock.now() + ttlMs, expiresAt ?? Infinity);
      const payload = Buffer.from(JSON.stringify({ tenant, approvalId: id, until })).toString("base64url");
      return `${payload}.${mac(secrets[0]!, payload).toString("base64url")}`;
    },
    verify(token) {
      const parts = typeof token === "string" && token.length <= MAX_LENGTH ? token.split(".") : [];
      const [payload = "", signature = ""] = parts;
      const given = Buffer.from(signature, "base64url");
      // Every secret is tried, so that the time tells nothing.
      const good = secrets
        .map((secret) => mac(secret, payload))
        .filter((one) => one.length === given.length && timingSafeEqual(one, given));
      if (parts.length !== 2 || good.length === 0 || given.toString("base64url") !== signature)
        throw invalid("is forged or damaged");
      const { tenant, approvalId, until } = payloadSchema.parse(
        JSON.parse(Buffer.from(payload, "base64url").toString("utf8")),
      );
      if (clock.now() >= until) throw invalid("has run out");
      return { tenant, approvalId };
    },
  };
}

function invalid(what: string): HebraError {
  return new HebraError("APPROVAL_TOKEN_INVALID", `The approval token ${what}. Ask for a new one.`);
}
