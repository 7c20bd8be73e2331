export {
  defineCommand,
  type Call,
  type Command,
  type CommandGroup,
  type CommandTable,
  type OptionSpec,
  type OptionTable,
  type OptionValues,
  type Report,
} from "./command.ts";
export { expandEnvironment } from "./environment.ts";
export { exitCodeOf, exitCodes, exitCodeTable, type ExitCode } from "./exit-codes.ts";
export type { Io } from "./io.ts";
export { main } from "./main.ts";
export type { Output } from "./output.ts";
export { cut, oneLine, oneLineAll, paint, table, type Colour } from "./paint.ts";
export type { Program } from "./command.ts";
export { CommandError } from "./program.ts";
export type { Progress } from "./progress.ts";
export { commandReference } from "./reference.ts";
export type { Screen } from "./screen.ts";
export { numberFrom, required, wholeNumber } from "./values.ts";
