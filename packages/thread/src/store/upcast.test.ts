import { readFileSync } from "node:fs";
import { errorCode } from "@hebra/core";
import { describe, expect, it } from "vitest";
import { decode } from "./codec.ts";
import type { Table, Value } from "./table.ts";
import { tables } from "./tables.ts";
import { upcast } from "./upcast.ts";

interface Golden {
  table: keyof typeof tables;
  kept: Value[];
  row: Record<string, unknown>;
}

describe("rows of older versions", () => {
  const golden = JSON.parse(readFileSync(new URL("./golden/rows-v1.json", import.meta.url), "utf8")) as Golden[];

  it("of version 1 read as they always did", () => {
    expect(new Set(golden.map((one) => one.table)).size).toBe(Object.keys(tables).length - 1);
    for (const { table, kept, row } of golden) expect(decode(tables[table] as Table<object>, kept)).toEqual(row);
  });

  it("pass through one version after another", () => {
    const known = {
      thread_items: {
        1: ({ text, ...row }: Record<string, unknown>) => ({ ...row, content: [{ kind: "text", text }] }) as never,
        3: (row: Record<string, unknown>) => ({ ...row, channel: "unknown" }) as never,
      },
    };
    expect(upcast("thread_items", { v: 1, id: "a", text: "hi" }, known, 4)).toEqual({
      v: 4,
      id: "a",
      content: [{ kind: "text", text: "hi" }],
      channel: "unknown",
    });
    expect(upcast("thread_items", { v: 3, id: "a" }, known, 4)).toEqual({ v: 4, id: "a", channel: "unknown" });
    expect(upcast("thread_steps", { v: 1, id: "a" }, known, 4)).toEqual({ v: 4, id: "a" });
  });

  it("are refused when they are newer, or have no version", () => {
    for (const v of [3, null, "1"]) {
      let code: string | undefined;
      try {
        upcast("thread_items", { v }, {}, 2);
      } catch (error) {
        code = errorCode(error);
      }
      expect(code, String(v)).toBe("SCHEMA_TOO_NEW");
    }
  });
});
