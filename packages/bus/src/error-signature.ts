/** What kind of error a dead letter died of: the same cause gives the same fingerprint, and no secret is in it. */
export interface ErrorSignature {
  /** A stable code. */
  readonly code: string;
  /** Groups equal errors. */
  readonly fingerprint: string;
  /** The redacted message. */
  readonly message: string;
}
