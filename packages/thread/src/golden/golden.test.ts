import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonValue } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { conversations, record } from "./turns.fixture.ts";

/**
 * What the engine does when nothing but a model is set. It is a promise: within a major version it changes by decision
 * only, and then `pnpm golden:update` writes it anew, for the difference to be read in review.
 */
const file = join(import.meta.dirname, "golden-trace.json");
const update = process.env["HEBRA_UPDATE_GOLDEN"] === "1";

describe("the engine's default behaviour", async () => {
  const recorded = await Promise.all(conversations.map(record));
  if (update) writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  const golden = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as JsonValue[]) : [];

  it("is recorded for every conversation", () => {
    expect(golden).toHaveLength(conversations.length);
  });

  it.each(conversations.map(({ name }, i) => [name, i] as const))("is as it was: %s", (_name, i) => {
    expect(recorded[i]).toEqual(golden[i]);
  });

  it("is the same whenever it is recorded", async () => {
    expect(await record(conversations[1]!)).toEqual(recorded[1]);
  });

  it("would show a change of a prompt, of an event or of a state", async () => {
    const before = recorded[0];
    const changed = await record({ ...conversations[0]!, options: { instructions: "You are a desk." } });
    expect(changed).not.toEqual(before);
    const limited = await record({ ...conversations[1]!, options: { policy: { maxIterations: 1 } } });
    expect(limited).not.toEqual(recorded[1]);
  });
});
