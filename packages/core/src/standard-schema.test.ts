import type { StandardSchemaV1 } from "@standard-schema/spec";
import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import {
  describeIssues,
  isStandardSchema,
  jsonSchemaOf,
  validateStandard,
  type InferInput,
  type InferOutput,
} from "./standard-schema.ts";

const order = z.object({ items: z.array(z.object({ price: z.number() })), note: z.string().default("none") });

describe("validateStandard", () => {
  test("gives the output at once when the schema is synchronous", () => {
    const result = validateStandard(order, { items: [{ price: 1 }] });
    expect(result).toEqual({ ok: true, value: { items: [{ price: 1 }], note: "none" } });
    expectTypeOf<InferInput<typeof order>>().toEqualTypeOf<{ items: { price: number }[]; note?: string | undefined }>();
    expectTypeOf<InferOutput<typeof order>>().toEqualTypeOf<{ items: { price: number }[]; note: string }>();
  });

  test("names every issue by its path", async () => {
    const result = await validateStandard(order, { items: [{ price: "x" }, { price: 1 }], note: 5 });
    expect(result).toMatchObject({ ok: false, issues: [{ path: "items[0].price" }, { path: "note" }] });
    if (!result.ok) expect(describeIssues(result.issues)).toMatch(/^items\[0\]\.price: .*; note: /);
    expect(await validateStandard(z.string(), 1)).toMatchObject({ ok: false, issues: [{ path: "" }] });
  });

  test("awaits an asynchronous schema", async () => {
    const free = z.string().refine(async (name) => name !== "taken");
    const pending = validateStandard(free, "taken");
    expect(pending).toBeInstanceOf(Promise);
    expect(await pending).toMatchObject({ ok: false });
    expect(await validateStandard(free, "new")).toEqual({ ok: true, value: "new" });
  });

  test("takes path segments as objects, and hides secrets that a schema quotes", () => {
    const quoting: StandardSchemaV1 = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => ({
          issues: [{ message: `must not be password=${String(value)}`, path: [{ key: "a" }, { key: 0 }, "b"] }],
        }),
      },
    };
    expect(validateStandard(quoting, "hunter2")).toEqual({
      ok: false,
      issues: [{ path: "a[0].b", message: "must not be password=[redacted]" }],
    });
  });
});

test("isStandardSchema knows objects and functions by their mark", () => {
  const callable = Object.assign(() => true, {
    "~standard": { version: 1, vendor: "test", validate: () => ({ value: 1 }) },
  });
  expect([order, callable].map(isStandardSchema)).toEqual([true, true]);
  for (const other of [
    null,
    undefined,
    {},
    { "~standard": null },
    { "~standard": { version: 2, validate: () => ({ value: 1 }) } },
    "x",
  ])
    expect(isStandardSchema(other)).toBe(false);
});

test("jsonSchemaOf asks the schema itself, for either side", () => {
  expect(jsonSchemaOf(order)).toMatchObject({ type: "object", required: ["items"] });
  expect(jsonSchemaOf(order, { side: "output", target: "draft-2020-12" })).toMatchObject({
    required: ["items", "note"],
    $schema: expect.stringContaining("2020-12"),
  });
  expect(jsonSchemaOf({ "~standard": { version: 1, vendor: "test", validate: () => ({ value: 1 }) } })).toBeUndefined();
});
