/** What a client does after a close. */
export type Action = 'stop' | 'retry' | 'retry at delay' | 'new token';

/** One row of the table of close codes. */
export interface CloseCode {
  readonly code: number;
  readonly name: string;
  readonly action: Action;
}

/** The close codes that Finch uses. The same table as in protocol/codes.go; a test compares them. */
export const closeCodes: readonly CloseCode[] = (
  [
    [1000, 'normal', 'stop'],
    [1001, 'going away'],
    [1002, 'protocol error', 'stop'],
    [1003, 'unsupported data', 'stop'],
    [1006, 'abnormal'],
    [1007, 'invalid data', 'stop'],
    [1008, 'policy', 'stop'],
    [1009, 'too big'],
    [1011, 'internal error'],
    [1012, 'drain', 'retry at delay'],
    [1013, 'try again'],
    [4401, 'unauthorized', 'new token'],
    [4403, 'forbidden', 'stop'],
    [4408, 'no heartbeat'],
    [4409, 'replaced', 'stop'],
    [4429, 'too fast'],
  ] as [number, string, Action?][]
).map(([code, name, action = 'retry']) => ({ code, name, action }));

/**
 * What to do after a close with this code. A code of the app's own (3000 to
 * 4999, not in the table) means stop; any other means retry.
 */
export function closeCode(code: number): CloseCode {
  return closeCodes.find((c) => c.code === code) ?? { code, name: '', action: code >= 3000 && code <= 4999 ? 'stop' : 'retry' };
}
