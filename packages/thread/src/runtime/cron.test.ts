import { describe, expect, it } from "vitest";
import { parseCron } from "./cron.ts";

const at = (text: string) => Date.parse(text);
const following = (expression: string, from: string, count: number, zone?: string) => {
  const cron = parseCron(expression, zone);
  const found: string[] = [];
  for (let time = cron.next(at(from)); time !== undefined && found.length < count; time = cron.next(time))
    found.push(new Date(time).toISOString().slice(0, 16));
  return found;
};

describe("cron", () => {
  it.each([
    ["*/15 * * * *", "2026-11-21T10:07:00Z", ["2026-11-21T10:15", "2026-11-21T10:30"]],
    ["0 9 * * mon-fri", "2026-11-20T09:00:00Z", ["2026-11-23T09:00", "2026-11-24T09:00"]],
    ["30 8 1,15 * *", "2026-11-16T00:00:00Z", ["2026-12-01T08:30", "2026-12-15T08:30"]],
    ["0 0 29 feb *", "2026-01-01T00:00:00Z", ["2028-02-29T00:00"]],
    ["0 12 13 * 5", "2026-11-01T00:00:00Z", ["2026-11-06T12:00", "2026-11-13T12:00", "2026-11-20T12:00"]],
    ["0 0 * * 7", "2026-11-21T00:00:00Z", ["2026-11-22T00:00"]],
  ])("%s after %s", (expression, from, expected) => {
    expect(following(expression, from, expected.length)).toEqual(expected);
  });

  it("reads the clocks of a time zone: a skipped time does not happen that day, a repeated one happens once", () => {
    // Madrid: 29 March 2026 skips 02:00 to 03:00, 25 October repeats it.
    expect(following("30 2 * * *", "2026-03-28T00:00:00Z", 2, "Europe/Madrid")).toEqual([
      "2026-03-28T01:30",
      "2026-03-30T00:30",
    ]);
    expect(following("30 2 * * *", "2026-10-24T12:00:00Z", 2, "Europe/Madrid")).toEqual([
      "2026-10-25T00:30",
      "2026-10-26T01:30",
    ]);
  });

  it("finds nothing for a day that never comes", () => {
    expect(parseCron("0 0 31 feb *").next(at("2026-01-01T00:00:00Z"))).toBeUndefined();
  });

  it.each(["* * * *", "60 * * * *", "* * * * mun", "5-1 * * * *", "*/0 * * * *", "1-2-3 * * * *", ", * * * *"])(
    "refuses %s",
    (expression) => {
      expect(() => parseCron(expression)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
    },
  );
});
