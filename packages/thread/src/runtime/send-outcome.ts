import { HebraError } from "@hebra/core";

/** What became of a reply: `unknown` where the other side may have it, as nothing came back. */
export type SendOutcome = "sent" | "failed" | "unknown";

/** What an error of a channel's `send` says of the reply. */
export function failedOutcome(error: unknown): Exclude<SendOutcome, "sent"> {
  return HebraError.isInstance(error) && error.details["outcome"] === "unknown" ? "unknown" : "failed";
}
