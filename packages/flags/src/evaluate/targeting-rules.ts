/**
 * Checks flagd `targeting` against what flagd's published schema for it says, without a schema validator at run time.
 */

type Check = (argument: unknown, at: string, problems: string[]) => void;

const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

const listOf =
  (least: number, most: number): Check =>
  (argument, at, problems) => {
    if (!Array.isArray(argument) || argument.length < least || argument.length > most) {
      return void problems.push(
        `\`${at}\` takes ${least === most ? least : most === Infinity ? `${least} or more` : `${least} to ${most}`} arguments, in an array`,
      );
    }
    argument.forEach((each, index) => checkArgument(each, `${at}.${index}`, problems));
  };

const one: Check = (argument, at, problems) =>
  Array.isArray(argument) ? listOf(1, 1)(argument, at, problems) : checkArgument(argument, at, problems);
const [two, twoOrThree, some] = [listOf(2, 2), listOf(2, 3), listOf(1, Infinity)];

const names: Check = (argument, at, problems) => {
  if (!Array.isArray(argument) || argument.some((name) => typeof name !== "string"))
    problems.push(`\`${at}\` takes an array of names`);
};

const variable: Check = (argument, at, problems) => {
  const name: unknown = Array.isArray(argument) ? argument[0] : argument;
  if (
    typeof name === "string" &&
    name.startsWith("$flagd.") &&
    !["$flagd.timestamp", "$flagd.flagKey"].includes(name)
  ) {
    problems.push(`\`${at}\`: ${name} is neither $flagd.timestamp nor $flagd.flagKey`);
  }
  if (Array.isArray(argument) && typeof name !== "string") problems.push(`\`${at}\` begins with a name`);
};

const text: Check = (argument, at, problems) => {
  if (!Array.isArray(argument) || argument.length !== 2)
    return void problems.push(`\`${at}\` takes 2 arguments, in an array`);
  argument.forEach((each, index) => {
    if (typeof each === "string") return;
    if (isRule(each)) checkRule(each, `${at}.${index}`, problems);
    else problems.push(`\`${at}.${index}\` is neither a string nor a rule`);
  });
};

const version: Check = (argument, at, problems) => {
  if (!Array.isArray(argument) || argument.length !== 3)
    return void problems.push(`\`${at}\` takes 3 arguments, in an array`);
  for (const index of [0, 2]) {
    const each: unknown = argument[index];
    const good = typeof each === "string" ? SEMVER.test(each) : isRule(each) && "var" in each;
    if (!good) problems.push(`\`${at}.${index}\` is neither a semantic version nor a var`);
  }
  if (!["=", "!=", ">", "<", ">=", "<=", "~", "^"].includes(argument[1] as string))
    problems.push(`\`${at}.1\` is no operator of semantic versions`);
};

const fractional: Check = (argument, at, problems) => {
  if (!Array.isArray(argument) || argument.length === 0) return void problems.push(`\`${at}\` takes an array`);
  argument.forEach((each, index) => {
    const here = `${at}.${index}`;
    if (index === 0 && isRule(each)) return checkRule(each, here, problems);
    if (!Array.isArray(each) || each.length < 1 || each.length > 2)
      return void problems.push(`\`${here}\` is not [variant, weight]`);
    checkArgument(each[0], `${here}.0`, problems);
    const weight: unknown = each[1];
    if (each.length === 1 || (Number.isSafeInteger(weight) && (weight as number) >= 0)) return;
    if (isRule(weight)) checkRule(weight, `${here}.1`, problems);
    else problems.push(`\`${here}.1\` is neither a whole number from 0 on nor a rule`);
  });
};

const operators: Readonly<Record<string, Check>> = {
  __proto__: null as never,
  var: variable,
  missing: names,
  missing_some: (argument, at, problems) => {
    if (!Array.isArray(argument) || argument.length !== 2 || typeof argument[0] !== "number")
      problems.push(`\`${at}\` takes a number and an array of names`);
    else names(argument[1], `${at}.1`, problems);
  },
  if: some,
  or: some,
  and: some,
  "+": some,
  "-": some,
  max: some,
  min: some,
  merge: some,
  cat: some,
  "==": two,
  "===": two,
  "!=": two,
  "!==": two,
  ">": two,
  ">=": two,
  "%": two,
  "/": two,
  map: two,
  filter: two,
  all: two,
  none: two,
  some: two,
  in: two,
  substr: twoOrThree,
  "<": twoOrThree,
  "<=": twoOrThree,
  reduce: listOf(3, 3),
  "*": listOf(2, Infinity),
  "!": one,
  "!!": one,
  starts_with: text,
  ends_with: text,
  sem_ver: version,
  fractional,
};

/**
 * Collects what is wrong with one `targeting`. An empty one is right: it targets nobody.
 *
 * @param at - its path, for the messages.
 */
export function checkTargeting(targeting: unknown, at: string, problems: string[]): void {
  if (!isRule(targeting)) return void problems.push(`\`${at}\` is not an object`);
  if (Object.keys(targeting).length > 0) checkRule(targeting, at, problems);
}

function checkRule(rule: object, at: string, problems: string[]): void {
  const keys = Object.keys(rule);
  const operator = keys[0];
  if (keys.length !== 1 || operator === undefined)
    return void problems.push(`\`${at}\` is not one operator with its arguments`);
  const check = operators[operator];
  if (check === undefined) return void problems.push(`\`${at}\`: there is no operator ${operator}`);
  check((rule as Record<string, unknown>)[operator], `${at}.${operator}`, problems);
}

function checkArgument(argument: unknown, at: string, problems: string[]): void {
  if (!isRule(argument)) return;
  if ("$ref" in argument && Object.keys(argument).length === 1) {
    if (typeof argument.$ref !== "string") problems.push(`\`${at}.$ref\` is not a name`);
    return;
  }
  checkRule(argument, at, problems);
}

function isRule(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
