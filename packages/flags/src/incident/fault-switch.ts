import { HebraError } from "@hebra/core";

/**
 * The variable that makes {@link createFaultSwitch} throw: `HEBRA_TEST_ERROR=1`, or a text that becomes the message.
 */
export const FAULT_VARIABLE = "HEBRA_TEST_ERROR";

/**
 * A switch that makes an operation fail on purpose, to see whether incidents arrive before the real ones do.
 *
 * @param environment - the deployment's: in `production` and `prod` a set switch is refused.
 * @param variables - @defaultValue `process.env`
 * @returns throws when the switch is on, does nothing otherwise.
 * @throws HebraError `UNSUPPORTED` at once, when the switch is on in production.
 */
export function createFaultSwitch(
  environment: string,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): () => void {
  const value = variables[FAULT_VARIABLE];
  if (value === undefined || value === "" || value === "0") return () => {};
  if (/^prod(uction)?$/i.test(environment)) {
    throw new HebraError(
      "UNSUPPORTED",
      `${FAULT_VARIABLE} is set in ${environment}. Remove it: the fault switch is for tests.`,
    );
  }
  return () => {
    throw Object.assign(new Error(value === "1" ? "A fault was asked for." : value), { code: "TEST_FAULT" });
  };
}
