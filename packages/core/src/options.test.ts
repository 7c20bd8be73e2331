import { describe, expect, test } from "vitest";
import * as z from "zod";
import { didYouMean, parseOptions } from "./options.ts";

const schema = z.strictObject({
  intervalMs: z.number().default(100),
  retry: z.strictObject({ attempts: z.number().optional() }).optional(),
  routes: z.array(z.strictObject({ session: z.string() })).default([]),
  regions: z.record(z.string(), z.strictObject({ active: z.boolean().optional() })).optional(),
});
const parse = (input: unknown) => parseOptions("createThing", schema, input);

describe("parseOptions", () => {
  test("gives the parsed options with their defaults", () => {
    expect(parse({})).toEqual({ intervalMs: 100, routes: [] });
  });

  test.each([
    [{ intervallMs: 1 }, "unknown option `intervallMs`; did you mean `intervalMs`?"],
    [{ INTERVALMS: 1 }, "did you mean `intervalMs`?"],
    [{ retry: { attempt: 1 } }, "unknown option `retry.attempt`; did you mean `retry.attempts`?"],
    [
      { routes: [{ session: "a" }, { sesion: "b", session: "c" }] },
      "unknown option `routes.1.sesion`; did you mean `routes.1.session`?",
    ],
    [{ regions: { eu: { actve: true } } }, "unknown option `regions.eu.actve`; did you mean `regions.eu.active`?"],
    [{ frobnicate: 1 }, "createThing: unknown option `frobnicate`."],
    [{ intervalMs: "x" }, "`intervalMs`: "],
    [{ retry: { attempts: "x" } }, "`retry.attempts`: "],
    [null, "createThing: "],
  ])("says what is wrong with %j", (input, message) => {
    expect(() => parse(input)).toThrow(message);
    expect(() => parse(input)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
  });

  test("names every problem at once, and no value", () => {
    const secret = "hunter2-hunter2";
    const attempt = () => parse({ intervalMs: secret, extra: secret, retry: secret });
    expect(attempt).toThrow(/`intervalMs`.*`retry`.*`extra`|`extra`/);
    expect(attempt).not.toThrow(secret);
  });
});

describe("didYouMean", () => {
  test.each([
    ["prefx", ["prefix", "suffix"], "prefix"],
    ["ttl", ["url", "ttlMs"], undefined],
    ["ur", ["url"], "url"],
    ["a", ["bc"], undefined],
    ["concurency", ["concurrency"], "concurrency"],
    ["anything", [], undefined],
  ])("%s of %j is %s", (typed, candidates, expected) => {
    expect(didYouMean(typed, candidates)).toBe(expected);
  });
});
