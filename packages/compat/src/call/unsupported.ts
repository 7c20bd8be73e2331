import { HebraError } from "@hebra/core";

/** What the old engine had and this one has not, with what takes its place. */
export function unsupported(what: string, instead: string): HebraError {
  return new HebraError("UNSUPPORTED", `${what} is not carried over from the old engine. ${instead}`);
}
