import type { DataPart, Role } from "../transcript.ts";
import type { ReadFile } from "./files.ts";

/** How a transcript becomes a prompt. */
export interface PromptOptions {
  /**
   * Reads files; one that it cannot read is told to the model. Without it links go to the model's provider where that
   * fetches them and they lead to no address inside a network, `data:` URLs are decoded, and the model is told that
   * other files cannot be shown. Nothing else fetches what a user links to.
   */
  readFile?: ReadFile | undefined;
  /** The words for a data part; `undefined` leaves it out. @defaultValue `{"name":…,"data":…}` as JSON */
  dataToText?: ((part: DataPart, role: Role) => string | undefined) | undefined;
  /**
   * What becomes of system messages after the first message of another role: several providers refuse those.
   *
   * @defaultValue "user": a user message between `<system>` tags
   */
  laterSystemMessages?: "user" | "system" | undefined;
  /**
   * What is said for the user when the conversation does not begin with one: several providers refuse that.
   * @defaultValue "[The conversation begins.]"
   */
  opening?: string | undefined;
  /**
   * What is said for the user when the conversation ends with the assistant: several providers refuse that.
   * @defaultValue "Continue."
   */
  continuation?: string | undefined;
  /** The provider that will read the prompt: calls that another one ran are shown to it as ordinary calls. */
  provider?: string | undefined;
}
