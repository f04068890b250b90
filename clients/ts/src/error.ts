/**
 * Something failed: the server refused, or the client gave up.
 *
 * `code` is for programs. It is the server's own word (`forbidden`, `room_full`,
 * whatever the app chose), or one of the client's: `timeout`, `connection_lost`
 * (the answer can no longer come; it is unknown whether the request was carried
 * out), `not_sent` (it never left, and never will), `closed`, `outcome_unknown`
 * (a publish was tried for as long as it may be, and perhaps recorded).
 * `message` is for people, and `status` as in HTTP: 0 if the code is the client's.
 *
 * Throw one in a handler of `answer` to say no to the server.
 */
export class FinchError extends Error {
  override readonly name = 'FinchError';
  readonly code: string;
  readonly status: number;

  /** Without a message it says the code, in words. */
  constructor(code: string, message = code.replaceAll('_', ' '), status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export const LOST = 'connection_lost';
export const connectionLost = (): FinchError => new FinchError(LOST);
export const closed = (): FinchError => new FinchError('closed');

/** The server's refusal: whatever it says, this is an error with a code. */
export const refusal = (error: { readonly code?: unknown; readonly message?: unknown } | undefined, status: number): FinchError =>
  new FinchError(`${error?.code}`, `${error?.message}`, status);

/** Does the cause of a refusal pass by itself? */
export const passes = ({ code, status }: FinchError): boolean => status === 503 || status === 504 || code === 'too_fast';
