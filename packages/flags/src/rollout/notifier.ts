import { HebraError, systemClock, type Clock } from "@hebra/core";

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

/**
 * Carries notices to people: a pager, a chat, a webhook. What it throws is reported, changes nothing, and the notice is
 * sent again after 1 s, 5 s, 30 s, 2 min and 10 min.
 */
export type Notifier = (notice: Notice) => void | Promise<void>;

/** Waits between two attempts, ms. */
const RETRIES_MS: readonly number[] = [1_000, 5_000, 30_000, 120_000, 600_000];

/**
 * Tells all; a notifier that fails keeps no other from hearing, and holds nobody up: it is tried again in the
 * background.
 */
export async function notifyAll(
  notifiers: readonly Notifier[],
  notice: Notice,
  onError: (error: unknown) => void,
  clock: Clock = systemClock,
): Promise<void> {
  const attempt = async (notifier: Notifier, retries: readonly number[]): Promise<void> => {
    try {
      await notifier(notice);
    } catch (error) {
      onError(error);
      const [waitMs, ...rest] = retries;
      if (waitMs === undefined) onError(givenUp(notice));
      else clock.after(waitMs, () => void attempt(notifier, rest));
    }
  };
  await Promise.all(notifiers.map((notifier) => attempt(notifier, RETRIES_MS)));
}

function givenUp({ type, flag, at }: Notice): HebraError {
  return new HebraError(
    "UNREACHABLE",
    `A notifier was not told of ${type} of ${flag} at ${at}; it failed ${RETRIES_MS.length + 1} times.`,
    {
      details: { type, flag, at },
    },
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
