/** Why there is no connection, or none yet. */
export interface Reason {
  /** The close code: 1006 if there was no close frame, 0 if no WebSocket was opened at all. */
  readonly code: number;
  /** One or two words for programs: the name of the close code, or `offline`, `no answer`, `token failed`, `no socket`. */
  readonly name: string;
  /** What the server, or the error behind it, says; often empty. */
  readonly text: string;
}

/**
 * How the connection is, for a page to show. The object is another one after
 * each change.
 *
 * - `connecting`: trying for the `attempt`th time since it last was open.
 * - `open`: the server has answered. `client` is the id of the socket, public
 *   and proof of nothing; `from` is the name under which others see this client:
 *   the user, or of an anonymous one an id; `resumed` is true if the session of
 *   before goes on.
 * - `waiting`: not connected; the next try begins `delay` milliseconds after this state did.
 * - `closed`: it is over, and no further try will be made unless `reconnect` is called.
 */
export type State =
  | { readonly phase: 'connecting'; readonly attempt: number; readonly reason?: Reason }
  | { readonly phase: 'open'; readonly client: string; readonly from: string; readonly resumed: boolean }
  | { readonly phase: 'waiting'; readonly attempt: number; readonly delay: number; readonly reason: Reason }
  | { readonly phase: 'closed'; readonly reason: Reason };
