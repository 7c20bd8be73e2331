import { HebraError } from "@hebra/core";
import type * as z from "zod";
import { isJson } from "../runtime/channels/http/gatekeeper.ts";
import { readBody } from "../runtime/channels/read-body.ts";
import { problem } from "./problem.ts";

/** Levels of arrays and objects in a body at most. */
const MAX_DEPTH = 64;
/** Problems that one refusal names. */
const MAX_PROBLEMS = 3;
const MAX_NAME = 60;

const refused = (what: string, why: string) => new HebraError("INVALID_OPTIONS", `The ${what} is refused: ${why}.`);

/**
 * The JSON body of a request, `{}` when it is empty, or the answer to one that has none.
 *
 * @throws HebraError `INVALID_OPTIONS` for what is no JSON object
 */
export async function jsonBody(request: Request, maxBytes: number): Promise<Record<string, unknown> | Response> {
  if (!isJson(request))
    return problem(new HebraError("INVALID_OPTIONS", "Send the body as `content-type: application/json`."), {
      status: 415,
    });
  const bytes = await readBody(request, maxBytes).catch(() => {
    throw refused("body", "it ended before it was complete");
  });
  if (bytes === undefined)
    return problem(
      new HebraError(
        "ENVELOPE_TOO_LARGE",
        `The body is larger than ${maxBytes} bytes. Pass large content by reference.`,
      ),
    );
  return parseBody(bytes);
}

function parseBody(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw refused("body", "it is not JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw refused("body", "it is not a JSON object");
  assertDepth(value);
  return value as Record<string, unknown>;
}

/** Walks without recursion: a body may be as deep as it is long. */
function assertDepth(root: object): void {
  let level: object[] = [root];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw refused("body", `it is nested more than ${MAX_DEPTH} levels deep`);
    level = level.flatMap((parent) =>
      Object.values(parent).filter((child): child is object => typeof child === "object" && child !== null),
    );
  }
}

/** The query of a URL. @throws HebraError `INVALID_OPTIONS` for a parameter that comes twice */
export function queryOf(url: URL): Record<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (query.has(name)) throw refused("query", `\`${name.slice(0, MAX_NAME)}\` comes twice`);
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

/** @throws HebraError `INVALID_OPTIONS` that names the first problems */
export function parseInput<S extends z.ZodType>(what: "body" | "query", schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const { issues } = result.error;
  const named = issues.slice(0, MAX_PROBLEMS).map(describe);
  const others = issues.length - named.length;
  throw refused(what, named.join("; ") + (others > 0 ? `; and ${others} more` : ""));
}

function describe(issue: z.core.$ZodIssue): string {
  const path = issue.path.map(String).join(".").slice(0, MAX_NAME);
  if (issue.code !== "unrecognized_keys") return path === "" ? issue.message : `\`${path}\`: ${issue.message}`;
  const keys = issue.keys.slice(0, MAX_PROBLEMS).map((key) => `\`${key.slice(0, MAX_NAME)}\``);
  const others = issue.keys.length - keys.length;
  return `unknown ${keys.join(", ")}${others > 0 ? ` and ${others} more` : ""}${path === "" ? "" : ` in \`${path}\``}`;
}
