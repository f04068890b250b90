// A clock that the test moves: it takes the place of the timers, of
// performance.now and of Date.now. What the code under test does in between,
// promises included, has happened when a move returns.

const real = { setTimeout, clearTimeout, setImmediate, now: performance.now.bind(performance), date: Date.now };

let timers = [];
let lastId = 0;
let monotonic = 0; // what performance.now says
let wall = 1_767_225_600_000; // what Date.now says

globalThis.setTimeout = (fn, wait = 0, ...args) => {
  const timer = { id: ++lastId, at: monotonic + Math.max(1, wait <= 2 ** 31 - 1 ? wait : 1), fn: () => fn(...args) };
  timers.push(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => { timers = timers.filter((t) => t !== timer); };
performance.now = () => monotonic;
Date.now = () => wall;

// settle lets everything happen that needs no time.
export async function settle() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => real.setImmediate(resolve));
}

// move lets time pass; timers fire in order, each at its own moment.
export async function move(milliseconds) {
  const end = monotonic + milliseconds;
  await settle();
  for (;;) {
    const next = timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
    if (!next) break;
    timers = timers.filter((t) => t !== next);
    wall += Math.max(0, next.at - monotonic);
    monotonic = Math.max(monotonic, next.at);
    next.fn();
    await settle();
  }
  wall += end - monotonic;
  monotonic = end;
}

// sleep is what a laptop does: the wall goes on, and nothing else.
export function sleep(milliseconds) {
  wall += milliseconds;
}

// waiting counts the timers that are set.
export const waiting = () => timers.length;

export const now = () => monotonic;

// chance makes Math.random give these values, the last one again and again.
export function chance(...values) {
  Math.random = () => (values.length > 1 ? values.shift() : values[0]);
}
