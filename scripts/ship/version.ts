/** How much a change asks of the version, from least to most. */
export const levels = ["patch", "minor", "major"] as const;

/** How much a change asks of the version. */
export type Level = (typeof levels)[number];

interface Version {
  major: number;
  minor: number;
  patch: number;
  /** The number of the beta, when it is one. */
  beta: number | undefined;
}

function parse(version: string): Version {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:-beta\.(\d+))?$/.exec(version);
  if (match === null) throw new Error(`"${version}" is not a version of the form 1.2.3 or 1.2.3-beta.4`);
  const [, major, minor, patch, beta] = match;
  return {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    beta: beta === undefined ? undefined : Number(beta),
  };
}

const format = ({ major, minor, patch, beta }: Version): string =>
  `${major}.${minor}.${patch}${beta === undefined ? "" : `-beta.${beta}`}`;

/** What kind of release a version is by its own digits: 2.0.0 is a major, 2.1.0 a minor. */
function levelOf({ minor, patch }: Version): Level {
  if (patch !== 0) return "patch";
  return minor === 0 ? "major" : "minor";
}

/** Whether one level asks for at least as much as the other. */
export function atLeast(level: Level, other: Level): boolean {
  return levels.indexOf(level) >= levels.indexOf(other);
}

/** The larger of two versions, by semantic versioning's order. */
export function newest(a: string, b: string): string {
  const [left, right] = [parse(a), parse(b)];
  const difference =
    left.major - right.major ||
    left.minor - right.minor ||
    left.patch - right.patch ||
    (left.beta ?? Infinity) - (right.beta ?? Infinity);
  return difference > 0 ? a : b;
}

/** The release after `version`. A beta of a release that is large enough becomes that release. */
export function release(version: string, level: Level): string {
  const from = parse(version);
  if (from.beta !== undefined && atLeast(levelOf(from), level)) return format({ ...from, beta: undefined });
  if (level === "major") return format({ major: from.major + 1, minor: 0, patch: 0, beta: undefined });
  if (level === "minor") return format({ ...from, minor: from.minor + 1, patch: 0, beta: undefined });
  return format({ ...from, patch: from.patch + 1, beta: undefined });
}

/**
 * The beta after `version`: the next one of the same release when that is large enough, else the first of the next
 * release.
 */
export function beta(version: string, level: Level): string {
  const from = parse(version);
  if (from.beta !== undefined && atLeast(levelOf(from), level)) return format({ ...from, beta: from.beta + 1 });
  return format({ ...parse(release(version, level)), beta: 0 });
}
