import type { ReactorInput } from "./reactor.ts";
import type { ScriptedStep } from "./scripted-step.ts";

/**
 * One line of a script: a step as data, or a function that makes it. A function must give the same answer for the same
 * input.
 */
export type ScriptedStepSource = ScriptedStep | ((input: ReactorInput) => ScriptedStep | Promise<ScriptedStep>);
