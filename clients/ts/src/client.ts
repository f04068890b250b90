import { Connection, type Hello } from './connection.js';
import { closed, connectionLost, FinchError, LOST, passes, refusal } from './error.js';
import type { Answerer, AnswerOf, Answers, DataArgument, DataOf, Events, FrameworkEvents, Handler, Path, Received, Requests, Sent, Unsubscribe } from './events.js';
import { Handlers } from './handlers.js';
import { decode, encode, type Frame, type Message } from './message.js';
import type { Options, RequestOptions } from './options.js';
import { Queue, type Queued } from './queue.js';
import type { State } from './state.js';
import { Timer } from './clock.js';

/** Gets the answer to a question, in order with other messages, or why there is none. */
export type Done = (error: FinchError | undefined, answer: Message) => void;

const NO_ANSWER = { data: null } as Message;

/**
 * A client: this program's conversation with the server, across reconnects.
 * Handlers are registered once and stay; there is no event of connecting to
 * register them in. Get one from `connect`.
 */
export class Client<E extends Events = {}> {
  /** For the compiler alone, which reads the table of events from it. It is never there. */
  declare readonly '~events'?: E;
  /** @internal */
  readonly options: Options;
  #handlers: Handlers;
  #listeners: Handlers;
  #answerers = new Map<string, Answerer<never, unknown>>();
  #connection: Connection;
  #queue: Queue;
  #pending = new Map<unknown, Done>(); // what was asked over the connection that there is
  #lastId = 0; // ids are never used again, so that no answer meets a question of another time

  /** Use `connect`. */
  constructor(url: string | URL, options: Options = {}) {
    this.options = options;
    this.#handlers = new Handlers(this.report);
    this.#listeners = new Handlers(this.report);
    this.#queue = new Queue(options.queue ?? 256, (frame) => this.#connection.send(frame, true));
    this.#connection = new Connection(url, options, {
      dialled: () => this.#hello(),
      received: (data) => {
        try {
          this.#receive(data);
        } catch (error) {
          this.report(error); // what follows from nonsense of the server must not end here
        }
      },
      lost: (final) => this.#lose(final),
      entered: (state) => this.#listeners.run('state', state),
      report: this.report,
      ping: () => this.ask('finch.ping', undefined, () => {}),
      auth: (token, renewed) => this.ask('finch.auth', { token }, (error) => error?.code === LOST || renewed(error)),
    });
  }

  /** How the connection is. The same object until it changes. */
  get state(): State {
    return this.#connection.state;
  }

  /** Calls a function with each new state. */
  onState(fn: (state: State) => void): Unsubscribe {
    return this.#listeners.add('state', fn);
  }

  /**
   * Handles the messages of a path, for as long as the client lives and whatever
   * becomes of connections. All functions of a path run; the same function counts
   * once. The empty path stands for all.
   */
  on<P extends Path<Received<E> & FrameworkEvents>>(path: P, fn: Handler<(Received<E> & FrameworkEvents)[P]>): Unsubscribe {
    return this.#handlers.add(path, fn);
  }

  /**
   * Answers the server's questions on a path: with what the function returns, or
   * no if it throws a FinchError. One function a path; a later one takes its place.
   */
  answer<P extends Path<Answers<E>>>(path: P, fn: Answerer<DataOf<Answers<E>[P]>, AnswerOf<Answers<E>[P]>>): Unsubscribe {
    this.#answerers.set(path, fn);
    return () => {
      if (this.#answerers.get(path) === fn) this.#answerers.delete(path);
    };
  }

  /**
   * Sends a message, at most once. Without a connection it waits for the next
   * one. False: it will not go, because the queue is full or the client is
   * closed. (A message that is larger than the server takes goes to `onError`.)
   */
  send<P extends Path<Sent<E>>>(path: P, ...[data]: DataArgument<Sent<E>[P]>): boolean {
    return this.#put({ frame: encode({ path }, data), refused: (error) => error.status && this.report(error) });
  }

  /**
   * Asks the server, and gives what it answers. Rejects with a FinchError if it
   * refuses, if no answer comes in time, or if the connection is lost before it
   * comes: a request that was sent is not sent again.
   */
  request<P extends Path<Requests<E>>>(
    path: P,
    ...[data, options]: [...DataArgument<DataOf<Requests<E>[P]>>, options?: RequestOptions]
  ): Promise<AnswerOf<Requests<E>[P]>> {
    return new Promise((resolve, reject) => {
      const { timeout = this.options.requestTimeout ?? 15_000, signal }: RequestOptions = options ?? {};
      signal?.throwIfAborted();
      const id = ++this.#lastId;
      const timer = new Timer();
      const settle = (error: unknown, answer: Message = NO_ANSWER): void => {
        timer.stop();
        signal?.removeEventListener('abort', abort);
        this.#pending.delete(id);
        this.#queue.withdraw(item);
        if (error) reject(error);
        else resolve(answer.data as AnswerOf<Requests<E>[P]>);
      };
      const abort = (): void => settle(signal!.reason);
      const item = { frame: encode({ path, id }, data), sent: () => this.#pending.set(id, settle), refused: settle };
      timer.set(timeout, () => settle(new FinchError('timeout')));
      signal?.addEventListener('abort', abort);
      if (!this.#put(item)) settle(this.state.phase === 'closed' ? closed() : new FinchError('not_sent'));
    });
  }

  /** Ends the conversation for good. What still waits fails. */
  close(): void {
    this.#connection.close();
  }

  /** Connects now, without waiting any longer: for a button that a person presses. It works after the end, too. */
  reconnect(): void {
    this.#connection.start();
  }

  /** @internal What to say in hello, beside the version. */
  greeting(): object {
    return {};
  }

  /** @internal Hello was answered. True: say it once more. */
  greeted(_error: FinchError | undefined, _hello: unknown): boolean {
    return false;
  }

  /** @internal Messages go. */
  opened(): void {}

  /** @internal A message came that is no answer and no question. True: the app's handlers shall not see it. */
  received(_message: Message): boolean {
    return false;
  }

  /** @internal The connection is lost, or the try to get one failed; `final` if no other will be made. */
  lost(_final: boolean): void {}

  /**
   * @internal Asks over the connection that there is now, or not at all. `done`
   * is called exactly once, at the latest when that connection is lost.
   */
  ask(path: string, data: unknown, done: Done): void {
    const id = ++this.#lastId;
    const frame = encode({ path, id }, data);
    const fault = this.#queue.fault(frame) ?? (this.#connection.send(frame) ? undefined : connectionLost());
    if (fault) done(fault, NO_ANSWER);
    else this.#pending.set(id, done);
  }

  /** @internal True while messages go. */
  get open(): boolean {
    return this.state.phase === 'open';
  }

  /** @internal Runs the handlers of a message. */
  emit(message: Pick<Message, 'path' | 'data'>): void {
    const { path, data } = message;
    if (!this.#handlers.run(path, data, message) && path === 'finch.error') this.report(refusal((message as Message).error, (message as Message).status));
  }

  /** @internal Says what nobody else can be told. */
  report = (error: unknown): void => {
    const { onError = globalThis.document ? reportError : console.error } = this.options;
    onError(error);
  };

  #put(item: Queued): boolean {
    return this.state.phase !== 'closed' && this.#queue.put(item);
  }

  #hello(): void {
    this.ask('finch.hello', { version: 1, ...this.greeting() }, (error, { data }) => {
      if (error?.code === LOST) return;
      if (error && (error.status >= 500 || passes(error))) return this.#connection.lose({ code: 1013, reason: error.message });
      if (this.greeted(error, data)) return this.#hello();
      if (error) return this.#connection.lose({ code: 1008, reason: error.message });
      const hello = { ...(data as Hello | null) };
      const limit = hello.limits?.message_bytes;
      if (limit! > 0) this.#queue.limit = limit!;
      this.#connection.established(hello);
      this.opened();
      this.#queue.open = this.open;
    });
  }

  #receive(raw: unknown): void {
    const message = decode(raw);
    const { onText } = this.options;
    if (!message) return typeof raw === 'string' && onText ? onText(raw) : this.report(new FinchError('bad_envelope'));
    if ('reply' in message) {
      const done = this.#pending.get(message.reply);
      this.#pending.delete(message.reply);
      const { error, status } = message;
      return done?.(error || status >= 400 ? refusal(error, status) : undefined, message);
    }
    if ('id' in message) return void this.#answer(message);
    if (message.path === 'finch.drain') this.#connection.drain((message.data as { delay?: unknown } | null)?.delay);
    if (!this.received(message)) this.emit(message);
  }

  async #answer(message: Message): Promise<void> {
    const { generation } = this.#connection;
    const { path, id, data } = message;
    const reply = { path, reply: id };
    let frame: Frame;
    try {
      const fn = this.#answerers.get(path);
      if (!fn) throw new FinchError('unknown_path', undefined, 404);
      frame = encode(reply, (await fn(data as never, message as never)) ?? null);
    } catch (error) {
      if (!(error instanceof FinchError)) {
        this.report(error);
        error = new FinchError('internal');
      }
      const { status, code, message } = error as FinchError;
      frame = JSON.stringify({ ...reply, status: status || 500, error: { code, message } });
    }
    if (generation === this.#connection.generation) this.#connection.send(frame);
  }

  #lose(final: boolean): void {
    this.#queue.open = false;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const done of pending) done(connectionLost(), NO_ANSWER);
    this.lost(final);
    if (final) this.#queue.clear(closed());
  }
}
