import fc from "fast-check";
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

/** A field of a pattern: how it is written, and the values that it stands for. */
interface Field {
  text: string;
  values: ReadonlySet<number>;
  any: boolean;
}

const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => from + at * step);

function fieldOf(min: number, max: number): fc.Arbitrary<Field> {
  const value = fc.integer({ min, max });
  const item = fc.tuple(value, value, fc.integer({ min: 1, max: 7 })).map(([a, b, step]) => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    return from === to
      ? { text: String(from), values: [from] }
      : { text: `${from}-${to}/${Math.min(step, to - from)}`, values: range(from, to, Math.min(step, to - from)) };
  });
  const list = fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => ({
    text: items.map(({ text }) => text).join(","),
    values: new Set(items.flatMap(({ values }) => values)),
    any: false,
  }));
  return fc.oneof(fc.constant({ text: "*", values: new Set(range(min, max)), any: true }), list);
}

const patterns = fc.tuple(fieldOf(0, 59), fieldOf(0, 23), fieldOf(1, 31), fieldOf(1, 12), fieldOf(0, 6));
/** Moments near which clocks change, by an hour and by half of one, and one where they do not. */
const transitions = [
  { zone: "UTC", instant: "2026-02-28T23:00:00Z" },
  { zone: "Europe/Madrid", instant: "2026-03-29T01:00:00Z" },
  { zone: "Europe/Madrid", instant: "2026-10-25T01:00:00Z" },
  { zone: "America/New_York", instant: "2026-11-01T06:00:00Z" },
  { zone: "Australia/Lord_Howe", instant: "2026-04-04T15:00:00Z" },
] as const;

const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** What the clocks of a zone show at a minute; each minute is computed once. */
function clockOf(zone: string) {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    month: "numeric",
    day: "numeric",
    weekday: "short",
    hour: "numeric",
    minute: "numeric",
  });
  const known = new Map<number, readonly [number, number, number, number, number]>();
  return (time: number) => {
    const found = known.get(time);
    if (found !== undefined) return found;
    const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, value]));
    const of = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type));
    const shown = [of("minute"), of("hour"), of("day"), of("month"), weekdays.indexOf(parts.get("weekday")!)] as const;
    known.set(time, shown);
    return shown;
  };
}
const clocks = new Map(transitions.map(({ zone }) => [zone as string, clockOf(zone)]));

/** The specification by exhaustive search: every minute, and only the first of those that show the same local time. */
function firstMatch([minute, hour, day, month, weekday]: readonly Field[], zone: string, after: number, until: number) {
  const clock = clocks.get(zone)!;
  for (let time = Math.floor(after / 60_000) * 60_000 + 60_000; time <= until; time += 60_000) {
    const shown = clock(time);
    if (!minute!.values.has(shown[0]) || !hour!.values.has(shown[1]) || !month!.values.has(shown[3])) continue;
    const byDay = day!.values.has(shown[2]);
    const byWeekday = weekday!.values.has(shown[4]);
    if (!(day!.any || weekday!.any ? byDay && byWeekday : byDay || byWeekday)) continue;
    const repeated = [30, 60].some((minutes) => clock(time - minutes * 60_000).join() === shown.join());
    if (!repeated) return time;
  }
  return undefined;
}

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

  it("treats a day field that begins with a star as unrestricted, so both day fields must match", () => {
    // 23 November is the first odd day that is a Monday as well.
    expect(following("0 0 */2 * mon", "2026-11-21T10:00:00Z", 1)).toEqual(["2026-11-23T00:00"]);
    expect(following("0 0 1-31/2 * mon", "2026-11-21T10:00:00Z", 2)).toEqual(["2026-11-23T00:00", "2026-11-25T00:00"]);
  });

  it("takes a step from a start without an end", () => {
    expect(following("5/20 * * * *", "2026-11-21T10:00:00Z", 3)).toEqual([
      "2026-11-21T10:05",
      "2026-11-21T10:25",
      "2026-11-21T10:45",
    ]);
  });

  it("finds the minute that a search of every minute finds, also where clocks change", () => {
    fc.assert(
      fc.property(
        patterns,
        fc.constantFrom(...transitions),
        fc.integer({ min: -2_880, max: 2_880 }),
        (pattern, at, offset) => {
          const after = Date.parse(at.instant) + offset * 60_000;
          const until = after + 3 * 86_400_000;
          const next = parseCron(pattern.map(({ text }) => text).join(" "), at.zone).next(after);
          expect(next !== undefined && next > until ? undefined : next).toBe(
            firstMatch(pattern, at.zone, after, until),
          );
        },
      ),
      { seed: 20261130, numRuns: 300 },
    );
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
