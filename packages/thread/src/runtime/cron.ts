import { HebraError } from "@hebra/core";
import { Cron as Pattern } from "croner";

/** A parsed cron expression. */
export interface Cron {
  /** The first matching moment after `after`, in milliseconds since the epoch; undefined if there is none. */
  next(after: number): number | undefined;
}

const HALF_DAY_MS = 43_200_000;
/** croner searches to the end of its calendar; a date that is further off than this does not exist. */
const SEARCH_MS = 40 * 366 * 86_400_000;

/**
 * Parses the five fields of cron (IEEE Std 1003.1, crontab): `*`, lists, ranges, steps, names of months and days. If
 * both day fields are restricted, either may match. A local time that the clocks skip does not run that day; one that
 * they repeat runs once.
 *
 * The pattern is matched on local clock time and mapped to an instant here, because croner by itself runs a skipped
 * time late and a repeated interval twice.
 *
 * @param timeZone - an IANA name. @defaultValue UTC
 * @throws HebraError `INVALID_OPTIONS`
 */
export function parseCron(expression: string, timeZone = "UTC"): Cron {
  const pattern = parsePattern(expression);
  const offsetAt = zoneOffset(expression, timeZone);
  return {
    next(after) {
      const local = after + offsetAt(after);
      let wall = pattern.nextRun(new Date(local));
      while (wall !== null && wall.getTime() - local < SEARCH_MS) {
        const at = instantOf(wall.getTime(), offsetAt);
        if (at !== undefined && at > after) return at;
        wall = pattern.nextRun(wall);
      }
      return undefined;
    },
  };
}

function parsePattern(expression: string): Pattern {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== 5)
    throw wrong(expression, "it needs five fields: minute, hour, day of month, month, day of week");
  // As in Vixie cron, `*/2` does not restrict a day field, so both fields must match.
  const domAndDow = [fields[2]!, fields[4]!].some((field) => /^[*?]/.test(field));
  try {
    return new Pattern(fields.join(" "), { mode: "5-part", paused: true, utcOffset: 0, sloppyRanges: true, domAndDow });
  } catch (error) {
    const problem = error instanceof Error ? error.message.replace(/^CronPattern: /, "").replace(/\.$/, "") : "";
    throw wrong(expression, problem, error);
  }
}

/** The first instant at which clocks show a local time; undefined if they skip it. */
function instantOf(wall: number, offsetAt: (at: number) => number): number | undefined {
  const candidates = [wall - offsetAt(wall - HALF_DAY_MS), wall - offsetAt(wall + HALF_DAY_MS)].sort((a, b) => a - b);
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

function wrong(expression: string, problem: string, cause?: unknown): HebraError {
  return new HebraError("INVALID_OPTIONS", `The cron expression "${expression}" cannot be read: ${problem}.`, {
    ...(cause === undefined ? {} : { cause }),
    details: { expression },
  });
}
