import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { shared } from "@hebra/test-servers/shared";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parseFlagDocument } from "./document.ts";
import { rolloutsJsonSchema } from "./json-schema.ts";

const { path: suite, present } = shared("suites/flagd-schemas");
const json = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
const published = join(import.meta.dirname, "../../schema/rollouts.schema.json");
const rollouts = {
  "*": { kill: null },
  "engine-v2": {
    version: 42,
    owner: "team-x",
    expires: "2027-03-31",
    kill: null,
    environments: { production: { active: true, maxPercent: 50 }, staging: { active: true } },
    deny: { org: [], session: ["s9"] },
    pin: [{ unit: "session", id: "s1", mode: "new", until: "2027-01-01T00:00:00Z" }],
    allow: { org: ["acme"], mode: "new" },
    prerequisites: [{ flag: "base" }],
    bucketing: { algorithm: "murmur3-32-utf8-1e5", unit: "session", salt: "engine-v2", missingUnit: "legacy" },
    shadow: { percent: 5, timeoutMs: 2000, maxInFlight: 8, aaPercent: 0.5, comparator: "incident-v1" },
    holdBack: { percent: 5 },
    canary: { percent: 10 },
    plan: { steps: [] },
  },
};

function documents(folder: "flags" | "flagd" | "targeting"): [string, boolean, Record<string, unknown>][] {
  return ["positive", "negative"].flatMap((label) => {
    const directory = join(suite, "test", folder, label);
    if (!existsSync(directory)) return [];
    return readdirSync(directory).map((name): [string, boolean, Record<string, unknown>] => [
      `${folder}/${label}/${name}`,
      label === "positive",
      json(join(directory, name)),
    ]);
  });
}

const accepts = (document: unknown) => {
  try {
    parseFlagDocument(document);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "FLAG_INVALID" });
    return false;
  }
};

describe.skipIf(!present)("flagd's own 36 documents (needs ../shared/suites/flagd-schemas)", () => {
  const flagDocuments = present ? [...documents("flags"), ...documents("flagd")] : [];
  const targetings = present ? documents("targeting") : [];

  it("are 20 of flags and 16 of targeting", () => {
    expect([flagDocuments.length, targetings.length]).toEqual([20, 16]);
  });

  it("are accepted and refused as labelled, with and without our sibling map", () => {
    for (const [name, valid, document] of flagDocuments) {
      expect(accepts(document), name).toBe(valid);
      expect(accepts({ ...document, rollouts }), `${name} with rollouts`).toBe(valid);
      expect(
        accepts({ ...document, rollouts: { f: { version: 1, canary: { percent: 101 } } } }),
        `${name} with bad rollouts`,
      ).toBe(false);
    }
    for (const [name, valid, targeting] of targetings) {
      const document = {
        flags: { f: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off", targeting } },
      };
      expect(accepts(document), name).toBe(valid);
      expect(accepts({ ...document, rollouts }), `${name} with rollouts`).toBe(valid);
    }
  });

  it("get the same verdict from flagd's published schemas, which do not mind the sibling map", () => {
    const ajv = new Ajv({ strict: false });
    ajv.addSchema(json(join(suite, "targeting.json"))).addSchema(json(join(suite, "flags.json")));
    const provider = ajv.getSchema("https://flagd.dev/schema/v0/flags.json")!;
    const daemon = ajv.compile(json(join(suite, "flagd.json")));
    for (const [name, valid, document] of flagDocuments) {
      const validate = String(document["$schema"]).endsWith("flagd.json") ? daemon : provider;
      expect(validate(document), name).toBe(valid);
      expect(validate({ ...document, rollouts }), `${name} with rollouts`).toBe(valid);
    }
    const targetingSchema = ajv.getSchema("https://flagd.dev/schema/v0/targeting.json")!;
    for (const [name, valid, targeting] of targetings) expect(targetingSchema(targeting), name).toBe(valid);
  });
});

describe("the published schema of rollouts", () => {
  it("is what the parser checks: run `pnpm --filter @hebra/flags schema` after a change", () => {
    // Its layout is the formatter's.
    expect(json(published)).toEqual(JSON.parse(rolloutsJsonSchema()));
  });

  it("accepts and refuses with the parser", () => {
    const validate = new Ajv({ strict: false }).compile(json(published));
    const entry = rollouts["engine-v2"];
    const cases: unknown[] = [
      rollouts,
      {},
      { f: { version: 1 } },
      { f: {} },
      { f: { version: 0 } },
      { f: { version: 1.5 } },
      { f: { version: 1, canarry: {} } },
      { f: { ...entry, pin: [{ unit: "tenant", id: "x", mode: "new" }] } },
      { f: { ...entry, allow: { org: [""] } } },
      { f: { ...entry, maxPercent: -1 } },
      { f: { ...entry, bucketing: { algorithm: "fnv" } } },
      { f: { ...entry, kill: { at: "2026-01-01", by: "a" } } },
      { "*": { canary: { percent: 1 } } },
    ];
    for (const each of cases) expect(accepts({ flags: {}, rollouts: each }), JSON.stringify(each)).toBe(validate(each));
  });
});
