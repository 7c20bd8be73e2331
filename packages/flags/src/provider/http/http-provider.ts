import {
  backoffDelay,
  digest,
  errorMessage,
  HebraError,
  parseOptions,
  sleep,
  systemClock,
  type Clock,
} from "@hebra/core";
import * as z from "zod";
import { readFlagText } from "../../evaluate/document.ts";
import type { FlagProvider } from "../provider.ts";
import { createRefresher, type Reading } from "../refresher.ts";
import { carefulFetch } from "./careful-fetch.ts";
import { readServerEvents } from "./server-events.ts";

/** Options of {@link httpProvider}. */
export interface HttpProviderOptions {
  /** Answers `GET` with the flag document and an `ETag`. */
  readonly url: string;
  /**
   * A server-sent event stream that tells of changes; each event makes a look at `url`. Left out, polling alone tells.
   */
  readonly eventsUrl?: string;
  /** Sent with every request: `authorization`, for one. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds between two looks. @defaultValue 5,000 */
  readonly pollMs?: number;
  /** Milliseconds after which an unanswered request fails. @defaultValue 3,000 */
  readonly timeoutMs?: number;
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
}

const schema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  eventsUrl: z.url({ protocol: /^https?$/ }).optional(),
  headers: z.record(z.string(), z.string()).default({}),
  pollMs: z.number().positive().default(5_000),
  timeoutMs: z.number().positive().default(3_000),
  fetch: z.custom<typeof globalThis.fetch>((value) => typeof value === "function").optional(),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function").optional(),
});

/** Marks a revision that is no `ETag`: without one the text tells whether anything changed. */
const TEXT = "text ";

/**
 * Flags from a URL: polled with `If-None-Match`, and looked at again at once when the event stream tells of a change or
 * comes back after a break.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createFlags } from "@hebra/flags";
 * import { httpProvider } from "@hebra/flags/http";
 *
 * export const flags = createFlags({
 *   provider: httpProvider({ url: "https://flags.example/v1/document", eventsUrl: "https://flags.example/v1/events",
 * headers: { authorization: "Bearer …" } }),
 * });
 * ```
 */
export function httpProvider(options: HttpProviderOptions): FlagProvider {
  const {
    url,
    eventsUrl,
    headers,
    pollMs,
    timeoutMs,
    fetch = globalThis.fetch,
    clock = systemClock,
  } = parseOptions("httpProvider", schema, options);
  const host = new URL(url).host;
  const closing = new AbortController();
  let listening = false;

  const refresher = createRefresher({
    name: `http ${host}`,
    clock,
    pollMs,
    async read(revision, signal): Promise<Reading> {
      const timeout = new AbortController();
      const cancel = clock.after(timeoutMs, () => timeout.abort());
      const stop = () => timeout.abort();
      signal.addEventListener("abort", stop, { once: true });
      try {
        const response = await carefulFetch(fetch, url, headers, {
          headers: {
            accept: "application/json",
            ...(revision === undefined || revision.startsWith(TEXT) ? {} : { "if-none-match": revision }),
          },
          signal: timeout.signal,
        });
        if (response.status === 304 && revision !== undefined) return "unchanged";
        const text = await response.text();
        if (!response.ok) throw unreachable(`${host} answered ${response.status}`, undefined);
        return {
          revision: response.headers.get("etag") ?? `${TEXT}${digest(text)}`,
          snapshot: readFlagText(text),
        };
      } catch (cause) {
        if (HebraError.isInstance(cause)) throw cause;
        throw unreachable(
          timeout.signal.aborted ? `${host} did not answer within ${timeoutMs} ms` : `${host} cannot be reached`,
          cause,
        );
      } finally {
        cancel();
        signal.removeEventListener("abort", stop);
      }
    },
  });

  /** Listens until closed. After each break the document is read again: what was told meanwhile is lost. */
  async function listen(stream: string): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; failures++) {
      try {
        const response = await carefulFetch(fetch, stream, headers, {
          headers: { accept: "text/event-stream" },
          signal: closing.signal,
        });
        if (!response.ok || response.body === null) throw new Error(`answered ${response.status}`);
        failures = 0;
        refresher.refresh();
        await readServerEvents(response.body, () => refresher.refresh());
      } catch {
        // The poll says whether the source itself is lost.
      }
      refresher.refresh();
      await sleep(clock, backoffDelay({ attempt: failures + 1, baseMs: 200, maxMs: 5_000 }), closing.signal).catch(
        () => {},
      );
    }
  }

  return {
    name: "http",
    load: () => refresher.load(),
    watch(listener) {
      const stop = refresher.watch(listener);
      if (eventsUrl !== undefined && !listening && !refresher.closed()) {
        listening = true;
        void listen(eventsUrl);
      }
      return stop;
    },
    close() {
      refresher.close();
      closing.abort();
      return Promise.resolve();
    },
  };
}

function unreachable(what: string, cause: unknown): HebraError {
  return new HebraError(
    "UNREACHABLE",
    `The flags' server ${what}${cause === undefined ? "" : `: ${errorMessage(cause)}`}; the last known good flags stay in force.`,
    { cause },
  );
}
