import type { FlagdFlag, FlagDocument } from "../evaluate/types.ts";

/** A flag of OpenFeature's `test-flags.json`. */
interface TestFlag {
  readonly variants: Readonly<Record<string, unknown>>;
  readonly defaultVariant?: string | null;
  readonly disabled?: boolean;
  readonly flagMetadata?: Readonly<Record<string, string | number | boolean>> | null;
  readonly contextEvaluator?: string;
}

/**
 * The deprecated `evaluation.feature` asks for a flag that `test-flags.json` no longer has; this is what its scenario
 * says of it.
 */
const contextAware: TestFlag = {
  variants: { internal: "INTERNAL", external: "EXTERNAL" },
  defaultVariant: "external",
  contextEvaluator: "fn == 'Sulisław' && ln == 'Świętopełk' && age == 29 && !customer ? 'internal' : ''",
};

/** OpenFeature's test flags as a flag document of ours, which is one of flagd's. */
export function convertTestFlags(source: Readonly<Record<string, TestFlag>>): FlagDocument {
  const flags: Record<string, FlagdFlag> = {};
  for (const [key, flag] of Object.entries({ "context-aware": contextAware, ...source })) {
    flags[key] = {
      state: flag.disabled === true ? "DISABLED" : "ENABLED",
      variants: flag.variants,
      ...(flag.defaultVariant === undefined ? {} : { defaultVariant: flag.defaultVariant }),
      ...(flag.flagMetadata === undefined || flag.flagMetadata === null ? {} : { metadata: flag.flagMetadata }),
      ...(flag.contextEvaluator === undefined ? {} : { targeting: toTargeting(flag.contextEvaluator) }),
    };
  }
  return { flags };
}

/**
 * `a == 'x' && !b && c > 10 ? 'variant' : ''` as JsonLogic. An empty variant is none: the default, with that reason.
 */
function toTargeting(expression: string): Record<string, unknown> {
  const parts = /^(.*?) \? '(.*?)' : ''$/.exec(expression);
  if (parts === null) throw new Error(`not understood: ${expression}`);
  const conditions = parts[1]!.split(" && ").map(toCondition);
  return { if: [conditions.length === 1 ? conditions[0] : { and: conditions }, parts[2], null] };
}

function toCondition(text: string): Record<string, unknown> {
  if (text.startsWith("!")) return { "!": [{ var: text.slice(1) }] };
  const parts = /^(\w+) (==|>|<) (?:'(.*)'|(\d+))$/.exec(text);
  if (parts === null) throw new Error(`not understood: ${text}`);
  const [, name, operator, string, number] = parts;
  return { [operator === "==" ? "===" : operator!]: [{ var: name }, string ?? Number(number)] };
}
