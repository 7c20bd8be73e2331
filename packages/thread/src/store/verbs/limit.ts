import { HebraError } from "@hebra/core";

/** A page that may hold nothing would never come to an end. @throws HebraError `INVALID_OPTIONS` */
export function checkLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit >= 1) return limit;
  throw new HebraError("INVALID_OPTIONS", `The limit of a page is ${String(limit)}. Give a whole number from 1 on.`);
}
