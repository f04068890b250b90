/** A message of the server. Fields that are absent on the wire are absent here. */
export interface Message<D = unknown> {
  readonly path: string;
  /** JSON, or a Uint8Array if the message was binary. */
  readonly data: D;
  readonly status: number;
  /** When the server wrote it (a recorded message: when it was recorded), in Unix milliseconds. */
  readonly timestamp: number;
  /** The room that it was sent to. */
  readonly room?: string;
  /** The message is recorded; a reader stands here after it. */
  readonly position?: string;
  /** The user, or the socket of an anonymous one, that published it. */
  readonly from?: string;
  /** The key that it was published with. */
  readonly key?: string;
  /** Recorded for this user, or for everyone, and not in a room. */
  readonly to?: 'user' | 'everyone';
  readonly client?: string;
  readonly language?: string;
  /** The server asks. */
  readonly id?: string | number;
  /** The answer to the request with this id. */
  readonly reply?: string | number;
  readonly error?: { readonly code: string; readonly message: string };
}

/** What a frame of a WebSocket carries. */
export type Frame = string | Uint8Array<ArrayBuffer>;

const HEAD = 4; // bytes of the length before the envelope of a binary message

// Of these fields the client makes use: a message where one is no string is nonsense.
const TEXTS = ['path', 'room', 'position', 'from', 'key', 'to'] as const;

/** Writes a message. Data that is bytes (an ArrayBuffer or a view of one) travels as they are; anything else as JSON. */
export function encode(envelope: object, data: unknown): Frame {
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined;
  if (!bytes) return JSON.stringify({ ...envelope, data });
  const head = new TextEncoder().encode(JSON.stringify(envelope));
  const frame = new Uint8Array(HEAD + head.length + bytes.length);
  new DataView(frame.buffer).setUint32(0, head.length);
  frame.set(head, HEAD);
  frame.set(bytes, HEAD + head.length);
  return frame;
}

/** How many bytes a frame has on the wire. */
export function bytes(frame: Frame): number {
  return typeof frame === 'string' ? new TextEncoder().encode(frame).length : frame.length;
}

/** Reads a message: undefined if it is none. It never throws, whatever comes. */
export function decode(raw: unknown): Message | undefined {
  try {
    if (typeof raw === 'string') return check(JSON.parse(raw));
    const bytes = raw instanceof ArrayBuffer ? new Uint8Array(raw) : (raw as Uint8Array);
    const end = HEAD + new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
    if (end > bytes.length) return undefined;
    return check({ ...JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD, end))), data: bytes.subarray(end) });
  } catch {
    return undefined;
  }
}

function check(value: unknown): Message | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  if (TEXTS.some((name) => name in fields && typeof fields[name] !== 'string')) return undefined;
  return 'path' in fields || 'reply' in fields ? (value as Message) : undefined;
}
