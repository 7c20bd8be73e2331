import type { JsonObject } from "@hebra/core";
import { jsonSchema, tool, zodSchema } from "ai";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import * as zodMini from "zod/mini";
import { z as z3 } from "zod/v3";
import { toJsonSchema, validateAgainst } from "./action-schema.ts";

const order = z.object({
  id: z.string().describe("Number on the label."),
  count: z.number().int().default(1),
  tags: z.array(z.object({ name: z.string() })).optional(),
});
const orderDocument = {
  $schema: "http://json-schema.org/draft-07/schema#",
  type: "object",
  properties: {
    id: { type: "string", description: "Number on the label." },
    count: { type: "integer", default: 1, minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
    tags: {
      type: "array",
      items: {
        type: "object",
        properties: { name: { type: "string" } },
        required: ["name"],
        additionalProperties: false,
      },
    },
  },
  required: ["id"],
  additionalProperties: false,
};

/** A Standard Schema of a library of its own. */
const standard = (jsonSchema?: (options: { target: string }) => Record<string, unknown>) => ({
  "~standard": {
    version: 1,
    vendor: "own",
    validate: (value: unknown) =>
      value === "good"
        ? { value: "made" }
        : { issues: [{ message: "not good", path: ["a", { key: 0 }] }, { message: "bad" }] },
    ...(jsonSchema === undefined ? {} : { jsonSchema: { input: jsonSchema, output: jsonSchema } }),
  },
});

describe("toJsonSchema", () => {
  it("describes what goes into a zod schema, as draft-07 with closed objects", () =>
    expect(toJsonSchema(order)).toEqual(orderDocument));

  it("agrees with the AI SDK on a zod schema", () => expect(toJsonSchema(zodSchema(order))).toEqual(orderDocument));

  it("takes zod mini, zod without the standard's converter, and the schema of an AI SDK tool", () => {
    expect(toJsonSchema(zodMini.object({ a: zodMini.string() }))).toMatchObject({
      type: "object",
      properties: { a: { type: "string" } },
      additionalProperties: false,
    });
    const { jsonSchema: _, ...older } = order["~standard"];
    expect(toJsonSchema({ _zod: order._zod, "~standard": older })).toEqual(orderDocument);
    expect(toJsonSchema(tool({ inputSchema: order }).inputSchema)).toEqual(orderDocument);
  });

  it("takes documents and AI SDK schemas as they are, also lazy ones", () => {
    const document: JsonObject = { type: "object", properties: { a: { type: "object" } } };
    expect(toJsonSchema(document)).toBe(document);
    expect(toJsonSchema(jsonSchema(document))).toBe(document);
    expect(toJsonSchema(() => jsonSchema(document))).toBe(document);
    expect(toJsonSchema(jsonSchema(() => document))).toBe(document);
    expect(toJsonSchema(undefined)).toEqual({ type: "object", properties: {}, additionalProperties: false });
  });

  it("leaves open what was said to be open, and what `allOf` joins", () => {
    expect(toJsonSchema(z.looseObject({ a: z.string() }))).toMatchObject({ additionalProperties: {} });
    expect(toJsonSchema(z.object({ map: z.record(z.string(), z.object({ b: z.string() })) }))).toMatchObject({
      properties: { map: { additionalProperties: { type: "object", additionalProperties: false } } },
    });
    const joined = {
      allOf: [
        { type: "object", properties: { a: {} } },
        { type: "object", properties: { b: {} } },
      ],
    };
    expect(toJsonSchema(standard(() => joined))).toEqual(joined);
    expect(toJsonSchema(standard(() => ({ type: "object", ...joined })))).toEqual({ type: "object", ...joined });
  });

  it("asks another library for draft-07 first, then for 2020-12", () => {
    const asked: string[] = [];
    const schema = standard(({ target }) => {
      asked.push(target);
      if (target === "draft-07") throw new Error("too old");
      return { type: "object", properties: {} };
    });
    expect(toJsonSchema(schema)).toEqual({ type: "object", properties: {}, additionalProperties: false });
    expect(toJsonSchema(schema)).toBe(toJsonSchema(schema));
    expect(asked).toEqual(["draft-07", "draft-2020-12"]);
  });

  it.each<[string, unknown, RegExp]>([
    ["a date", z.object({ at: z.date() }), /zod schema has no JSON Schema: Date/],
    ["zod 3", z3.object({ a: z3.string() }), /zod schema does not say its JSON Schema/],
    ["a library without a converter", standard(), /own schema does not say its JSON Schema/],
    ["a promised document", jsonSchema(Promise.resolve({ type: "object" as const })), /promise.*await it first/],
    ["a string", "object", /a string is not a schema/],
    ["null", null, /a null is not a schema/],
  ])("refuses %s", (_, schema, message) => {
    expect(() => toJsonSchema(schema)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringMatching(message) as string }),
    );
  });
});

describe("validateAgainst", () => {
  const bad = { id: 7, tags: [{}] };

  it("gives the value as the schema makes it", async () => {
    expect(await validateAgainst(order, { id: "a", extra: true })).toEqual({ ok: true, value: { id: "a", count: 1 } });
    expect(await validateAgainst(zodSchema(order), { id: "a" })).toEqual({ ok: true, value: { id: "a", count: 1 } });
    expect(await validateAgainst(standard(), "good")).toEqual({ ok: true, value: "made" });
    expect(
      await validateAgainst(
        z.string().refine(async (text) => text === "x"),
        "x",
      ),
    ).toEqual({ ok: true, value: "x" });
    expect(await validateAgainst(z3.object({ a: z3.string() }), { a: "x" })).toEqual({ ok: true, value: { a: "x" } });
  });

  it("says where and what is wrong, whatever the library", async () => {
    const lines = [
      "id: Invalid input: expected string, received number",
      "tags[0].name: Invalid input: expected string, received undefined",
    ];
    expect(await validateAgainst(order, bad)).toEqual({ ok: false, issues: lines });
    expect(await validateAgainst(zodSchema(order), bad)).toEqual({ ok: false, issues: lines });
    expect(await validateAgainst(() => zodSchema(order), bad)).toEqual({ ok: false, issues: lines });
    expect(await validateAgainst(standard(), "no")).toEqual({ ok: false, issues: ["a[0]: not good", "bad"] });
    const own = jsonSchema(
      { type: "object" },
      { validate: () => ({ success: false, error: new Error("never good") }) },
    );
    expect(await validateAgainst(own, {})).toEqual({ ok: false, issues: ["never good"] });
  });

  it("takes any value where there is no validator, but only an object for no schema", async () => {
    expect(await validateAgainst({ type: "object" }, 5)).toEqual({ ok: true, value: 5 });
    expect(await validateAgainst(jsonSchema({ type: "object" }), 5)).toEqual({ ok: true, value: 5 });
    expect(await validateAgainst(undefined, { a: 1 })).toEqual({ ok: true, value: { a: 1 } });
    expect(await validateAgainst(undefined, "{broken")).toEqual({ ok: false, issues: ["must be an object"] });
  });

  it("never throws", async () => {
    const throwing = {
      "~standard": {
        version: 1,
        vendor: "own",
        validate: () => {
          throw new Error("broken rule");
        },
      },
    };
    expect(await validateAgainst(throwing, {})).toEqual({
      ok: false,
      issues: ["the schema's own validation failed: broken rule"],
    });
    expect(await validateAgainst(7, {})).toMatchObject({ ok: false });
  });
});
