import { parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";

/** Where old endpoints are on their way out. `gone` can be taken back until the old code is removed. */
export type DeprecationStage = "current" | "deprecated" | "gone";

/** Options of {@link createDeprecation}. */
export interface DeprecationOptions {
  /** Asked at each request, so that a change needs no restart. */
  readonly stage: () => DeprecationStage;
  /** When the endpoints were, or will be, deprecated; ISO 8601. */
  readonly deprecatedAt: string;
  /** When they stop to answer; ISO 8601. */
  readonly sunsetAt: string;
  /** Where the same is found now. */
  readonly successor?: string;
  /** Where it is explained. */
  readonly documentation?: string;
  /** Who calls: an API key's id, a client's name; never a secret. */
  readonly caller: (request: Request) => string;
  /** Callers that may stay, known and agreed: they are counted apart. @defaultValue none */
  readonly pinned?: (caller: string) => boolean;
  /** Callers that are counted one by one; the rest are counted together. @defaultValue 1000 */
  readonly maxCallers?: number;
  readonly clock?: Clock;
}

/** One caller's use of the old endpoints. */
export interface CallerUsage {
  readonly caller: string;
  readonly pinned: boolean;
  readonly calls: number;
  /** Of those, answered with 410. */
  readonly refused: number;
  /** ISO 8601 instants. */
  readonly firstAt: string;
  readonly lastAt: string;
  /** Calls by method and path. */
  readonly endpoints: Readonly<Record<string, number>>;
}

/** Who still uses the old endpoints. */
export interface UsageReport {
  /** ISO 8601 instants. */
  readonly since: string;
  readonly until: string;
  readonly calls: number;
  /** Calls of callers that are not pinned: these must cease before the endpoints go. */
  readonly unpinned: number;
  /** Most calls first. */
  readonly callers: readonly CallerUsage[];
}

/** The way out for old endpoints. */
export interface Deprecation {
  /** Wraps a Web-standard handler: headers while deprecated, 410 when gone. */
  wrap(handler: (request: Request) => Response | Promise<Response>): (request: Request) => Promise<Response>;
  /** Use since a time, or since the process began. @param since - milliseconds since the epoch */
  usage(since?: number): UsageReport;
}

const date = z.string().refine((text) => !Number.isNaN(Date.parse(text)), "not a date");
const schema = z
  .strictObject({
    stage: z.custom<DeprecationOptions["stage"]>((value) => typeof value === "function", "must be a function"),
    deprecatedAt: date,
    sunsetAt: date,
    successor: z.string().min(1).optional(),
    documentation: z.string().min(1).optional(),
    caller: z.custom<DeprecationOptions["caller"]>((value) => typeof value === "function", "must be a function"),
    pinned: z
      .custom<(caller: string) => boolean>((value) => typeof value === "function", "must be a function")
      .default(() => () => false),
    maxCallers: z.int().positive().default(1_000),
    clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
  })
  .refine(({ deprecatedAt, sunsetAt }) => Date.parse(sunsetAt) >= Date.parse(deprecatedAt), {
    path: ["sunsetAt"],
    message: "must not be earlier than `deprecatedAt`",
  });

interface Hour {
  calls: number;
  refused: number;
  readonly endpoints: Map<string, number>;
  first: number;
  last: number;
}

const HOUR = 3_600_000;
const KEEP_HOURS = 31 * 24;
const ENDPOINTS = 50;

/**
 * Headers first (`Deprecation`, RFC 9745; `Sunset`, RFC 8594; `Link`, RFC 8288), then 410 as `application/problem+json`
 * (RFC 9457). Each call is counted
 * by caller, so that one knows whom to write to and when nobody is left.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createDeprecation } from "@hebra/flags/deprecation";
 *
 * const old = createDeprecation({
 *   stage: () => "deprecated", deprecatedAt: "2026-03-01", sunsetAt: "2026-03-28", successor: "/api/v2", caller:
 * (request) => request.headers.get("x-client") ?? "unknown",
 * });
 * const handler = old.wrap(() => new Response("ok"));
 * const response = await handler(new Request("http://localhost/api/v1/predict"));
 * console.log(response.headers.get("sunset")); // Sat, 28 Mar 2026 00:00:00 GMT
 * ```
 */
export function createDeprecation(options: DeprecationOptions): Deprecation {
  const parsed = parseOptions("createDeprecation", schema, options);
  const { stage, caller, pinned, successor, documentation, maxCallers } = parsed;
  const clock = parsed.clock ?? systemClock;
  const began = clock.now();
  const use = new Map<string, Map<number, Hour>>();
  const links = [
    ...(successor === undefined ? [] : [`<${successor}>; rel="successor-version"`]),
    ...(documentation === undefined ? [] : [`<${documentation}>; rel="deprecation"; type="text/html"`]),
  ].join(", ");
  const headers: [string, string][] = [
    ["deprecation", `@${Math.floor(Date.parse(parsed.deprecatedAt) / 1_000)}`],
    ["sunset", new Date(parsed.sunsetAt).toUTCString()],
    ...(links === "" ? [] : [["link", links] as [string, string]]),
  ];

  /** The host's own code: what it throws must not take the endpoint down. */
  function nameOf(request: Request): string {
    try {
      return String(caller(request));
    } catch {
      return "(unknown)";
    }
  }

  function count(request: Request, refused: boolean): void {
    const now = clock.now();
    const named = nameOf(request);
    const name = use.has(named) || use.size < maxCallers ? named : "(others)";
    let hours = use.get(name);
    if (hours === undefined) use.set(name, (hours = new Map()));
    const start = Math.floor(now / HOUR) * HOUR;
    let hour = hours.get(start);
    if (hour === undefined) {
      hours.set(start, (hour = { calls: 0, refused: 0, endpoints: new Map(), first: now, last: now }));
      for (const old of hours.keys()) if (old < start - KEEP_HOURS * HOUR) hours.delete(old);
    }
    hour.calls++;
    hour.last = now;
    if (refused) hour.refused++;
    const path = `${request.method} ${new URL(request.url).pathname}`;
    const endpoint = hour.endpoints.has(path) || hour.endpoints.size < ENDPOINTS ? path : "(others)";
    hour.endpoints.set(endpoint, (hour.endpoints.get(endpoint) ?? 0) + 1);
  }

  function gone(): Response {
    const body = {
      type: documentation ?? "about:blank",
      title: "Gone",
      status: 410,
      detail: `This endpoint was retired on ${new Date(parsed.sunsetAt).toISOString().slice(0, 10)}.${successor === undefined ? "" : ` Use ${successor}.`}`,
      ...(successor === undefined ? {} : { successor }),
    };
    return new Response(JSON.stringify(body), {
      status: 410,
      headers: [["content-type", "application/problem+json"], ...headers],
    });
  }

  return {
    wrap: (handler) => async (request) => {
      const now = stage();
      if (now === "current") {
        count(request, false);
        return handler(request);
      }
      count(request, now === "gone");
      if (now === "gone") return gone();
      const response = await handler(request);
      const marked = new Response(response.body, response);
      for (const [name, value] of headers) {
        // `Deprecation` and `Sunset` hold one value each; links are a list.
        if (name === "link") marked.headers.append(name, value);
        else marked.headers.set(name, value);
      }
      return marked;
    },
    usage(since = began) {
      const callers = [...use].flatMap(([name, hours]): CallerUsage[] => {
        const inside = [...hours].filter(([start]) => start + HOUR > since).map(([, hour]) => hour);
        if (inside.length === 0) return [];
        const endpoints: Record<string, number> = {};
        for (const hour of inside)
          for (const [path, calls] of hour.endpoints) endpoints[path] = (endpoints[path] ?? 0) + calls;
        return [
          {
            caller: name,
            pinned: pinned(name),
            calls: inside.reduce((sum, hour) => sum + hour.calls, 0),
            refused: inside.reduce((sum, hour) => sum + hour.refused, 0),
            firstAt: new Date(Math.min(...inside.map((hour) => hour.first))).toISOString(),
            lastAt: new Date(Math.max(...inside.map((hour) => hour.last))).toISOString(),
            endpoints,
          },
        ];
      });
      return {
        since: new Date(since).toISOString(),
        until: new Date(clock.now()).toISOString(),
        calls: callers.reduce((sum, one) => sum + one.calls, 0),
        unpinned: callers.reduce((sum, one) => sum + (one.pinned ? 0 : one.calls), 0),
        callers: callers.sort((a, b) => b.calls - a.calls),
      };
    },
  };
}
