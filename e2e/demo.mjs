// What every suite of Node needs: the address of the demo under test, and
// waiting for something to become true.

export const base = process.env.FINCH_URL;
if (!base) throw new Error('FINCH_URL is not set: run the suites with go run ./e2e');

export const wsBase = base.replace(/^http/, 'ws');

const WITHIN = 10000; // ms

// until asks again and again, and gives back the first answer that is truthy.
export async function until(what, ask, within = WITHIN) {
  const end = Date.now() + within;
  for (let last; ;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited ${within} ms in vain: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
