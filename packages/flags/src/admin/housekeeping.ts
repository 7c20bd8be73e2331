import { ALL_FLAGS } from "../evaluate/document.ts";
import type { FlagView } from "./view.ts";

/** What somebody should tidy up about a flag, a sentence each: expired, retired and still there, or depended upon. */
export function notesOn(key: string, { document, phases }: FlagView, now: number): string[] {
  const rollouts = Object.entries(document.rollouts ?? {}).filter(([name]) => name !== ALL_FLAGS);
  const own = rollouts.find(([name]) => name === key)?.[1];
  const { expires, owner = "nobody" } = own ?? {};
  const dependants = rollouts
    .filter(([, rollout]) => rollout.prerequisites?.some(({ flag }) => flag === key))
    .map(([name]) => name);
  const retired = phases[key] === "retired";
  const there = own !== undefined || Object.hasOwn(document.flags, key);
  return [
    ...(expires !== undefined && Date.parse(expires) < now
      ? [`It expired on ${expires}; its owner is ${owner}. Remove it, or set another date.`]
      : []),
    ...(retired && there ? ["It is retired and still in the document. Remove it where it is read, then here."] : []),
    ...(retired && dependants.length > 0 ? [`It is retired, and ${dependants.join(", ")} depend on it.`] : []),
  ];
}
