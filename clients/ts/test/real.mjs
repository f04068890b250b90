// A real Finch server, built from this repository, behind a network that can break.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// Why there can be none, if so. In CI that is a failure, not a reason.
export const skip = (() => {
  try {
    execFileSync('go', ['version']);
    return false;
  } catch {
    const why = 'there is no Go, which builds the server';
    if (process.env.FINCH_CI || process.env.CI) throw new Error(why);
    return why;
  }
})();

// until asks again and again, and gives back the first answer that is truthy.
export async function until(what, ask, within = 30_000) {
  const end = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// persist tries again what a lost connection has cut off.
export async function persist(act) {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!/connection[ _]lost/.test(error.message)) throw error;
    }
  }
}

export class RealServer {
  #folder = mkdtempSync(join(tmpdir(), 'finch-'));
  #links = new Set();
  #process;
  #network;

  static async start() {
    const server = new RealServer();
    const program = join(server.#folder, 'server');
    execFileSync('go', ['build', '-o', program, './clients/ts/test/server'], { cwd: new URL('../../../', import.meta.url) });
    server.#process = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    const address = await new Promise((resolve) => createInterface(server.#process.stdout).once('line', resolve));
    server.#network = createServer((near) => server.#link(near, connect(Number(address.split(':')[1]), '127.0.0.1')));
    await new Promise((resolve) => server.#network.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.#network.address().port}/`;
  }

  // links counts the connections that there are.
  get links() {
    return this.#links.size;
  }

  // cut ends all connections. What the server says in the last moment does not
  // arrive, what clients say does: so that answers are lost.
  cut(moment = 0) {
    for (const { near, far } of this.#links) {
      far.unpipe(near);
      setTimeout(() => {
        near.destroy();
        far.destroy();
      }, moment);
    }
  }

  // leave lets the server go away in good order; resolves when it is gone.
  async leave() {
    this.#network.close();
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin.end();
    await gone;
    rmSync(this.#folder, { recursive: true });
  }

  async stop() {
    this.cut();
    await this.leave();
  }

  #link(near, far) {
    const link = { near, far };
    this.#links.add(link);
    near.pipe(far).pipe(near);
    for (const end of [near, far]) {
      end.on('error', () => {});
      end.on('close', () => {
        near.destroy();
        far.destroy();
        this.#links.delete(link);
      });
    }
  }
}
