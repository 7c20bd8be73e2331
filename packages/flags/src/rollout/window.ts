import type { LowImpactWindow } from "./plan.ts";

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** Whether an instant lies in a window. A window that spans midnight belongs to the day on which it begins. */
export function inWindow(window: LowImpactWindow, at: number): boolean {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone: window.timeZone ?? "UTC",
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? "";
  const day = WEEKDAYS.indexOf(part("weekday"));
  const time = `${part("hour")}:${part("minute")}`;
  const allowed = (which: number) => window.days === undefined || window.days.includes((which + 7) % 7);
  if (window.from < window.to) return allowed(day) && time >= window.from && time < window.to;
  return (allowed(day) && time >= window.from) || (allowed(day - 1) && time < window.to);
}
