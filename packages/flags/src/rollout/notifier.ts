import { HebraError } from "@hebra/core";

/** Something that people should hear of. */
export interface Notice {
  readonly type:
    | "rollout-moved"
    | "rollout-paused"
    | "rollout-rolled-back"
    | "rollback-proposed"
    | "flag-killed"
    | "flag-unkilled"
    | "postmortem-overdue";
  readonly flag: string;
  /** ISO 8601 instant. */
  readonly at: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason: string;
  /** Sequence of the evidence record. */
  readonly evidence?: number;
  readonly by?: string;
}

/** Carries notices to people: a pager, a chat, a webhook. What it throws is reported and changes nothing. */
export type Notifier = (notice: Notice) => void | Promise<void>;

/** Tells all; a notifier that fails keeps no other from hearing. */
export async function notifyAll(
  notifiers: readonly Notifier[],
  notice: Notice,
  onError: (error: unknown) => void,
): Promise<void> {
  await Promise.all(
    notifiers.map(async (notifier) => {
      try {
        await notifier(notice);
      } catch (error) {
        onError(error);
      }
    }),
  );
}

/**
 * Posts each notice as JSON.
 *
 * @param url - kept out of every error: webhook addresses are secrets.
 * @param options - `timeoutMs` (default 5000), `headers`, and `fetch` for tests.
 */
export function webhookNotifier(
  url: string,
  options: {
    readonly timeoutMs?: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly fetch?: typeof fetch;
  } = {},
): Notifier {
  const { timeoutMs = 5_000, headers = {}, fetch: send = fetch } = options;
  return async (notice) => {
    let response: Response;
    try {
      response = await send(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(notice),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch {
      throw new HebraError("UNREACHABLE", "The webhook of a notifier could not be reached.");
    }
    if (!response.ok)
      throw new HebraError("UNREACHABLE", `The webhook of a notifier answered ${response.status}.`, {
        details: { status: response.status },
      });
  };
}
