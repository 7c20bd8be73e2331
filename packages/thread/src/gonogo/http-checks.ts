import { HebraError, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { GoNoGoCheck, Measured } from "./check.ts";

/** How a deployed host is asked. */
export interface HttpCheckOptions {
  /** Where the host is, e.g. `https://desk.example`. */
  url: string;
  /** A path that reads and changes nothing. */
  read: string;
  /** A path that takes one trigger: a POST of `trigger`, which the host bounds. Left out: nothing is written. */
  write?: string;
  /** What is posted. @defaultValue `{ "id": "go-no-go", "text": "Go or no go?" }` */
  trigger?: unknown;
  /** Sent with both, e.g. `authorization`. */
  headers?: Record<string, string>;
  /** Milliseconds that an answer may take. @defaultValue 10 000 */
  timeoutMs?: number;
  /** @defaultValue the platform's */
  fetch?: typeof globalThis.fetch;
  clock?: Clock;
}

const schema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  read: z.string().startsWith("/"),
  write: z.string().startsWith("/").optional(),
  trigger: z.unknown().optional(),
  headers: z.record(z.string(), z.string()).default({}),
  timeoutMs: z.number().int().positive().default(10_000),
  fetch: z.custom<typeof globalThis.fetch>((value) => typeof value === "function").optional(),
  clock: z.custom<Clock>().optional(),
});

/**
 * Checks of a deployed host: one read, and one write of one trigger. Each is one request, whose time is measured; an
 * answer
 * other than 2xx does not pass.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { httpChecks, runGoNoGo } from "@hebra/thread/testing";
 *
 * export const check = (url: string) =>
 *   runGoNoGo({ host: { name: url }, standard: false, checks: httpChecks({ url, read: "/health", write: "/go-no-go" })
 * });
 * ```
 */
export function httpChecks(options: HttpCheckOptions): GoNoGoCheck[] {
  const {
    url,
    read,
    write,
    headers,
    timeoutMs,
    trigger = { id: "go-no-go", text: "Go or no go?" },
    fetch = globalThis.fetch,
    clock = systemClock,
  } = parseOptions("httpChecks", schema, options);
  const timed = async (path: string, init: RequestInit): Promise<Measured> => {
    const start = clock.monotonic();
    const response = await fetch(new URL(path, url), {
      ...init,
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((error: unknown) => {
      throw new HebraError("UNREACHABLE", `${path} gave no answer within ${timeoutMs} ms.`, { cause: error });
    });
    await response.arrayBuffer();
    if (!response.ok) return { value: null, note: `${path} answered ${response.status}.` };
    return { value: Math.round(clock.monotonic() - start), note: `${path} answered ${response.status}.` };
  };
  const check = (bar: string, path: string, init: RequestInit): GoNoGoCheck => ({
    bar,
    phase: "deployed",
    unit: "ms",
    relation: "<=",
    bound: timeoutMs,
    measure: () => timed(path, init),
  });
  return [
    check("read-endpoint", read, { headers }),
    ...(write === undefined
      ? []
      : [
          check("write-trigger", write, {
            method: "POST",
            headers: { "content-type": "application/json", ...headers },
            body: JSON.stringify(trigger),
          }),
        ]),
  ];
}
