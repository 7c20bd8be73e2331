import { describe, expect, test } from "vitest";
import { createManualClock } from "./clock.ts";
import { consoleLogger, silentLogger, withFields, type ConsoleLoggerOptions } from "./logger.ts";
import { createRedactor } from "./redact.ts";

function recorded(options: ConsoleLoggerOptions = {}) {
  const lines: string[] = [];
  const logger = consoleLogger({ clock: createManualClock(0), write: (line) => void lines.push(line), ...options });
  return { logger, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe("consoleLogger", () => {
  test("writes one JSON object a line, from its level up", () => {
    const { logger, lines, parsed } = recorded({ level: "warn" });
    logger.debug("a");
    logger.info("b");
    logger.warn("c\nd", { attempt: 2 });
    logger.error("e");
    expect(parsed()).toEqual([
      { at: "1970-01-01T00:00:00.000Z", level: "warn", message: "c\nd", attempt: 2 },
      { at: "1970-01-01T00:00:00.000Z", level: "error", message: "e" },
    ]);
    for (const line of lines) expect(line.indexOf("\n")).toBe(line.length - 1);
  });

  test("passes message, fields and errors through the redactor", () => {
    const { logger, lines, parsed } = recorded();
    const error = new Error("connect postgres://bob:hunter2@db/x failed", { cause: new Error("token=abc123") });
    logger.info("Authorization: Bearer s3cr3t", { apiKey: "k-9", note: "hunter2", executionId: "e-1", error });
    expect(lines.join("")).not.toMatch(/hunter2|s3cr3t|k-9|abc123/);
    expect(parsed()[0]).toMatchObject({
      executionId: "e-1",
      note: "[redacted:string]",
      error: { name: "Error", message: "connect postgres://[redacted]@db/x failed" },
    });
  });

  test("keeps a field that is named like its own, and a prototype's name", () => {
    const { logger, parsed } = recorded({ redactor: createRedactor({ allowKeys: ["__proto__"] }) });
    logger.info("real", { message: "field", level: "x", at: "y", ["__proto__"]: { code: "z" } });
    expect(parsed()[0]).toMatchObject({
      level: "info",
      message: "real",
      "fields.message": "field",
      "fields.level": "x",
      "fields.at": "y",
    });
  });

  test("never throws, whatever is logged and however writing fails", () => {
    const { logger, lines } = recorded();
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no");
        },
      },
    );
    logger.info("a", hostile);
    logger.info("b", {
      get id(): string {
        throw new Error("no");
      },
    });
    logger.info(undefined as unknown as string);
    expect(lines).toHaveLength(2);
    expect(() =>
      recorded({
        write: () => {
          throw new Error("EPIPE");
        },
      }).logger.error("c"),
    ).not.toThrow();
  });

  test("refuses unknown options", () => {
    expect(() => consoleLogger({ levl: "info" } as ConsoleLoggerOptions)).toThrow("did you mean `level`?");
  });
});

test("withFields adds to every line, and a line's own field wins", () => {
  const { logger, parsed } = recorded();
  const turn = withFields(logger, { executionId: "e-1", attempt: 1 });
  turn.info("x", { attempt: 2 });
  withFields(turn, { contextId: "c-1" }).warn("y");
  expect(parsed()).toMatchObject([
    { executionId: "e-1", attempt: 2 },
    { executionId: "e-1", contextId: "c-1", attempt: 1 },
  ]);
});

test("silentLogger takes every call", () => {
  for (const level of ["debug", "info", "warn", "error"] as const) expect(silentLogger[level]("x", {})).toBeUndefined();
});
