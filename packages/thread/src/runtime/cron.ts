import { HebraError } from "@hebra/core";

/** A parsed cron expression. */
export interface Cron {
  /**
   * The first moment after `after` that fits, in milliseconds since the epoch; undefined when none does within five
   * years.
   */
  next(after: number): number | undefined;
}

const fields = [
  { name: "minute", min: 0, max: 59, names: [] },
  { name: "hour", min: 0, max: 23, names: [] },
  { name: "day of month", min: 1, max: 31, names: [] },
  {
    name: "month",
    min: 1,
    max: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { name: "day of week", min: 0, max: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
] as const;

const DAY_MS = 86_400_000;
const MAX_DAYS = 5 * 366;

/**
 * Parses the five fields of cron (IEEE Std 1003.1, crontab): `*`, lists, ranges, steps, names of months and days. Where
 * both days
 * are restricted, either fits. A time that the clocks skip does not happen that day; one that they repeat happens once.
 *
 * @param timeZone - an IANA name. @defaultValue UTC
 * @throws HebraError `INVALID_OPTIONS`
 */
export function parseCron(expression: string, timeZone = "UTC"): Cron {
  const parts = expression.trim().split(/\s+/);
  if (parts.length !== 5)
    throw wrong(expression, "it needs five fields: minute, hour, day of month, month, day of week");
  const [minutes, hours, days, months, weekdays] = parts.map((part, index) =>
    parseField(expression, part, fields[index]!),
  ) as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];
  if (weekdays.has(7)) weekdays.add(0);
  const anyDay = parts[2]!.startsWith("*");
  const anyWeekday = parts[4]!.startsWith("*");
  const offsetAt = zoneOffset(expression, timeZone);

  function dayFits(day: Date): boolean {
    if (!months.has(day.getUTCMonth() + 1)) return false;
    const byDay = days.has(day.getUTCDate());
    const byWeekday = weekdays.has(day.getUTCDay());
    return anyDay || anyWeekday ? byDay && byWeekday : byDay || byWeekday;
  }

  return {
    next(after) {
      const local = after + offsetAt(after);
      for (let day = Math.floor(local / DAY_MS) * DAY_MS, count = 0; count < MAX_DAYS; day += DAY_MS, count++) {
        if (!dayFits(new Date(day))) continue;
        for (const hour of hours) {
          for (const minute of minutes) {
            const wall = day + hour * 3_600_000 + minute * 60_000;
            if (wall < local - DAY_MS / 2) continue;
            const at = instantOf(wall, offsetAt);
            if (at !== undefined && at > after) return at;
          }
        }
      }
      return undefined;
    },
  };
}

/** The first instant at which clocks show a wall time; undefined when they skip it. */
function instantOf(wall: number, offsetAt: (at: number) => number): number | undefined {
  const candidates = [wall - offsetAt(wall - DAY_MS / 2), wall - offsetAt(wall + DAY_MS / 2)].sort((a, b) => a - b);
  return candidates.find((at) => at + offsetAt(at) === wall);
}

function zoneOffset(expression: string, timeZone: string): (at: number) => number {
  if (timeZone === "UTC") return () => 0;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (error) {
    throw wrong(expression, `${timeZone} is no time zone`, error);
  }
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    return (
      Date.UTC(parts["year"]!, parts["month"]! - 1, parts["day"], parts["hour"], parts["minute"], parts["second"]) -
      Math.floor(at / 1000) * 1000
    );
  };
}

function parseField(expression: string, text: string, field: (typeof fields)[number]): Set<number> {
  const { name, min, max } = field;
  const names: readonly string[] = field.names;
  const found = new Set<number>();
  const number = (word: string): number => {
    const named = names.indexOf(word.toLowerCase());
    const value = named === -1 ? Number(word) : named + (name === "month" ? 1 : 0);
    if (!/^(\d+|[a-z]+)$/i.test(word) || !Number.isInteger(value) || value < min || value > max)
      throw wrong(expression, `${word} is no ${name} from ${min} to ${max}`);
    return value;
  };
  for (const item of text.split(",")) {
    const [range = "", step, ...rest] = item.split("/");
    const every = step === undefined ? 1 : Number(step);
    if (rest.length > 0 || !Number.isInteger(every) || every < 1) throw wrong(expression, `${item} has a wrong step`);
    const [low, high, ...more] = range === "*" ? [String(min), String(max)] : range.split("-");
    if (low === undefined || low === "" || more.length > 0) throw wrong(expression, `${item} is no ${name}`);
    const from = number(low);
    const to = high === undefined ? (step === undefined ? from : max) : number(high);
    if (to < from) throw wrong(expression, `the range ${range} runs backwards`);
    for (let value = from; value <= to; value += every) found.add(value);
  }
  return new Set([...found].sort((a, b) => a - b));
}

function wrong(expression: string, problem: string, cause?: unknown): HebraError {
  return new HebraError("INVALID_OPTIONS", `The cron expression "${expression}" cannot be read: ${problem}.`, {
    ...(cause === undefined ? {} : { cause }),
    details: { expression },
  });
}
