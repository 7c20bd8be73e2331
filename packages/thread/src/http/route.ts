import type * as z from "zod";
import type { ThreadCaller, ThreadRight } from "./caller.ts";
import { parseInput } from "./input.ts";
import type { ParsedOptions } from "./options.ts";
import type { StreamSlots } from "./stream-slots.ts";

/** What every route works with. */
export interface Host extends ParsedOptions {
  slots: StreamSlots;
}

/** A request that may come in: its caller has the right, and the key is the caller's. */
export interface RawCall {
  host: Host;
  request: Request;
  caller: ThreadCaller;
  /** The named parts of the path, percent-decoded once. */
  params: Readonly<Record<string, string>>;
  query: unknown;
  body: unknown;
}

/** The same, with a query and a body that fit their schemas. */
export interface Call<Q, B> extends RawCall {
  query: Q;
  body: B;
}

/** One answer of a route, for the OpenAPI document. */
export interface RouteAnswer {
  description: string;
  schema?: z.ZodType;
  /** Answers with server-sent events where they are asked for. */
  stream?: boolean;
}

/** One route: what it takes, and what it does. */
export interface Route {
  method: "GET" | "POST" | "DELETE";
  /** With named parts: `/threads/{key}/items`. */
  path: string;
  /** The name in the OpenAPI document. */
  operationId: string;
  summary: string;
  /** Nothing: any caller. */
  right: ThreadRight | undefined;
  query: z.ZodType;
  body: z.ZodType | undefined;
  /** Whose limit the body has. @defaultValue "bodyBytes" */
  limit?: "bodyBytes" | "chatBytes";
  answers: Readonly<Record<number, RouteAnswer>>;
  serve(call: RawCall): Promise<Response>;
}

/** What a {@link Route} is made of. */
interface RouteDefinition<Q extends z.ZodType, B extends z.ZodType> extends Omit<Route, "query" | "body" | "serve"> {
  query: Q;
  body?: B;
  serve(call: Call<z.output<Q>, z.output<B>>): Promise<Response>;
}

/** Makes a route whose query and body are checked by the schemas that also describe it. */
export function route<Q extends z.ZodType, B extends z.ZodType>(given: RouteDefinition<Q, B>): Route {
  return {
    ...given,
    body: given.body,
    serve: async (call) =>
      given.serve({
        ...call,
        query: parseInput("query", given.query, call.query),
        body: (given.body === undefined ? undefined : parseInput("body", given.body, call.body)) as z.output<B>,
      }),
  };
}
