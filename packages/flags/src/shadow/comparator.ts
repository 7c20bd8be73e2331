import { canonicalJson, createRedactor, digest, HebraError, type JsonValue, type Redactor } from "@hebra/core";

/** How one field is compared. */
export type FieldRule =
  /** The same value, the default. */
  | { readonly kind: "exact" }
  /** Numbers that differ by at most `absolute`, or by at most `relative` of the larger one. */
  | { readonly kind: "tolerance"; readonly absolute?: number; readonly relative?: number }
  /** Arrays with the same members in any order. */
  | { readonly kind: "set" }
  /** Not compared. An exception has an owner and ends: afterwards the field is compared exactly. */
  | {
      readonly kind: "ignore";
      readonly id: string;
      readonly owner: string;
      /** ISO 8601 date. */ readonly expires: string;
    };

/** One field that differs. */
export interface FieldDifference {
  /** `answer.items[*].price`: members of arrays share one path. */
  readonly path: string;
  readonly kind: "different" | "missing" | "extra";
  readonly legacy?: JsonValue;
  readonly next?: JsonValue;
}

/** What a comparison found. */
export interface ComparisonResult {
  readonly equal: boolean;
  readonly differences: readonly FieldDifference[];
  /** Ids of the exceptions that were used. */
  readonly ignored: readonly string[];
}

/** Options of {@link createComparator}. */
export interface ComparatorOptions {
  /** By path; `*` stands for one member, `**` at the end for everything below. */
  readonly fields?: Readonly<Record<string, FieldRule>>;
  /** Brings an answer into comparable form: drops ids and times. @defaultValue as it is */
  readonly normalise?: (value: unknown) => unknown;
  /** For expiring exceptions. @defaultValue `Date.now` */
  readonly now?: () => number;
  /** Stands before values in differences. @defaultValue core's */
  readonly redactor?: Redactor;
}

/** Compares two answers. */
export interface Comparator {
  /**
   * @param values - whether differences carry their values, sanitised: that costs more than finding them. @defaultValue
   * true
   * @throws HebraError `NOT_SERIALIZABLE` when an answer is not JSON
   */
  compare(legacy: unknown, next: unknown, values?: boolean): ComparisonResult;
}

type Match = { readonly rule: FieldRule };

/**
 * A comparator field by field. The digests of both answers are compared first; only when they differ are the fields
 * walked.
 *
 * @throws HebraError `INVALID_OPTIONS` for an exception without owner or end.
 *
 * @example
 * ```ts
 * import { createComparator } from "@hebra/flags/shadow";
 *
 * const comparator = createComparator({ fields: { score: { kind: "tolerance", relative: 0.05 }, tags: { kind: "set" } }
 * });
 * console.log(comparator.compare({ score: 1, tags: ["a", "b"] }, { score: 1.02, tags: ["b", "a"] }).equal); // true
 * ```
 */
export function createComparator(options: ComparatorOptions = {}): Comparator {
  const { fields = {}, normalise = (value) => value, now = Date.now, redactor = createRedactor() } = options;
  const rules = Object.entries(fields).map(([path, rule]) => {
    if (rule.kind === "ignore" && (rule.id === "" || rule.owner === "" || Number.isNaN(Date.parse(rule.expires)))) {
      throw new HebraError(
        "INVALID_OPTIONS",
        `createComparator: the exception for \`${path}\` needs an id, an owner and an ISO date on which it ends.`,
      );
    }
    return { segments: path.split("."), rule };
  });

  function ruleFor(path: readonly string[]): Match | undefined {
    return rules.find(({ segments }) => {
      const open = segments.at(-1) === "**";
      const fixed = open ? segments.slice(0, -1) : segments;
      if (open ? path.length < fixed.length : path.length !== fixed.length) return false;
      return fixed.every((segment, at) => segment === "*" || segment === path[at]);
    });
  }

  return {
    compare(legacy, next, withValues = true) {
      const [a, b] = [normalise(legacy) ?? null, normalise(next) ?? null];
      if (digest(a) === digest(b)) return { equal: true, differences: [], ignored: [] };
      const found: FieldDifference[] = [];
      const ignored = new Set<string>();
      const differ = (
        path: readonly string[],
        kind: FieldDifference["kind"],
        values: { legacy?: unknown; next?: unknown },
      ) => {
        const shown =
          path
            .map((part) => (part === "*" ? "[*]" : `.${part}`))
            .join("")
            .replace(/^\./, "") || "$";
        if (!withValues) return void found.push({ path: shown, kind });
        // A value is judged by the name under which it stands; alone it would have none.
        const name = path.findLast((part) => part !== "*") ?? "answer";
        const clean = (value: unknown) =>
          (redactor.redact({ [name]: value }) as { [key: string]: JsonValue })[name] ?? null;
        found.push({
          path: shown,
          kind,
          ...("legacy" in values ? { legacy: clean(values.legacy) } : {}),
          ...("next" in values ? { next: clean(values.next) } : {}),
        });
      };
      const walk = (path: readonly string[], x: unknown, y: unknown): void => {
        const rule = ruleFor(path)?.rule;
        if (rule?.kind === "ignore" && now() < Date.parse(rule.expires)) {
          if (!same(x, y)) ignored.add(rule.id);
          return;
        }
        if (x === undefined || y === undefined) {
          if (x !== y)
            differ(path, x === undefined ? "extra" : "missing", x === undefined ? { next: y } : { legacy: x });
          return;
        }
        if (rule?.kind === "tolerance" && typeof x === "number" && typeof y === "number") {
          if (!within(x, y, rule)) differ(path, "different", { legacy: x, next: y });
          return;
        }
        if (rule?.kind === "set" && Array.isArray(x) && Array.isArray(y)) {
          if (!same(sorted(x), sorted(y))) differ(path, "different", { legacy: x, next: y });
          return;
        }
        if (Array.isArray(x) && Array.isArray(y)) {
          for (let at = 0; at < Math.max(x.length, y.length); at++) walk([...path, "*"], x[at], y[at]);
          return;
        }
        if (isObject(x) && isObject(y)) {
          for (const key of new Set([...Object.keys(x), ...Object.keys(y)])) walk([...path, key], x[key], y[key]);
          return;
        }
        if (!same(x, y)) differ(path, "different", { legacy: x, next: y });
      };
      walk([], a, b);
      return { equal: found.length === 0, differences: found, ignored: [...ignored] };
    },
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const same = (x: unknown, y: unknown): boolean =>
  x === y || (x !== undefined && y !== undefined && canonicalJson(x) === canonicalJson(y));
const sorted = (values: readonly unknown[]): string[] => values.map((value) => canonicalJson(value)).sort();

function within(
  x: number,
  y: number,
  { absolute = 0, relative = 0 }: { readonly absolute?: number; readonly relative?: number },
): boolean {
  return Math.abs(x - y) <= Math.max(absolute, relative * Math.max(Math.abs(x), Math.abs(y)));
}
