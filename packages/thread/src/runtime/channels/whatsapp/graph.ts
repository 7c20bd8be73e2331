import { HebraError, parseRetryAfter, type JsonObject } from "@hebra/core";
import * as z from "zod";
import { noAnswer } from "../no-answer.ts";

/** What the Graph API answers when it refuses. */
const refusal = z.looseObject({
  error: z.looseObject({
    code: z.number(),
    message: z.string().optional(),
    error_data: z.looseObject({ details: z.string().optional() }).optional(),
  }),
});

/**
 * Codes after which the same call may succeed, with the milliseconds to wait where the API does not say: too many calls
 * of
 * the app (4, 80007), of the number (130429) or to one person, who may get one message in six seconds (131056); the
 * service
 * is away or could not say why (1, 2, 131000, 131016, 133004); a token that ran out (190) and is about to be replaced.
 *
 * Source: developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
 */
const passing: Readonly<Record<number, number>> = {
  1: 1_000,
  2: 1_000,
  4: 60_000,
  190: 60_000,
  80007: 60_000,
  130429: 1_000,
  131000: 1_000,
  131016: 5_000,
  131056: 6_000,
  133004: 5_000,
};

/** How {@link callGraph} calls. */
export interface GraphCall {
  url: string;
  /** The access token: it is in a header, and in no message or error. */
  token: string;
  body: JsonObject;
  /** Milliseconds since the epoch. */
  now: number;
  /** Milliseconds until an answer that does not come is given up. */
  timeoutMs: number;
}

/**
 * Posts to the Graph API.
 *
 * @throws HebraError `UNREACHABLE` without an answer, with `details: {outcome}`: `unknown` when the API may have what
 * was sent; `SERVER_REFUSED`, `retryable` where waiting helps, with
 * `details: {status, code, retryAfterMs?}`. A code that is not known to pass is for good: 131047, the 24 hours in which
 * an answer may be sent are over, among them.
 */
export async function callGraph({ url, token, body, now, timeoutMs }: GraphCall): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (error) {
    throw noAnswer("The Graph API gave no answer", error, (text) => text.replaceAll(token, "…"));
  }
  const answer = json(text);
  if (response.ok) return answer;
  const { status } = response;
  const found = refusal.safeParse(answer);
  const { code, message, error_data } = found.success
    ? found.data.error
    : { code: 0, message: undefined, error_data: undefined };
  const retryable = status === 429 || status >= 500 || Object.hasOwn(passing, code);
  const retryAfterMs =
    parseRetryAfter(response.headers.get("retry-after"), now) ?? passing[code] ?? (status === 429 ? 1_000 : undefined);
  const reason = (error_data?.details ?? message ?? "no reason given").replaceAll(token, "…");
  throw new HebraError("SERVER_REFUSED", `The Graph API refused with ${status}, code ${code}: ${reason}`, {
    retryable,
    details: { status, code, ...(retryable && retryAfterMs !== undefined ? { retryAfterMs } : {}) },
  });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
