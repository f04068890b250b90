// Demos and a Redis of a test's own, as processes that it may kill. They end with
// the test, and at the latest with its process.

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './demo.mjs';

const logs = fileURLToPath(new URL('../.out/e2e/', import.meta.url));
mkdirSync(logs, { recursive: true });

const running = new Set();
process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });

// freePort asks the system for a port that is free now.
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// folder makes a directory that is removed in the end.
export function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'finch-e2e-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

class Process {
  #command;
  #log;
  #child = null;

  constructor(log, ...command) {
    this.#command = command;
    this.#log = createWriteStream(join(logs, log));
  }

  async start() {
    const [program, ...args] = this.#command;
    const child = this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => this.#log.write(text));
    child.on('exit', () => running.delete(child));
    await until(`${program} serves`, () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}; its log is in ${logs}`);
      return this.serves();
    }, 40000);
  }

  // kill ends it as a crash does: it says goodbye to nobody.
  async kill() {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

export class Demo extends Process {
  constructor(port, ...flags) {
    super(`node-${port}.log`, process.env.FINCH_PROGRAM, 'demo', '--addr', `127.0.0.1:${port}`, ...flags);
    this.url = `http://127.0.0.1:${port}`;
  }

  async serves() {
    return (await fetch(`${this.url}/readyz`)).ok;
  }
}

export class Redis extends Process {
  constructor(port) {
    super(`redis-${port}.log`, process.env.FINCH_REDIS_SERVER, '--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder(), '--save', '', '--appendonly', 'no');
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  serves() {
    return new Promise((resolve, reject) => {
      const line = connect(this.port, '127.0.0.1', () => { line.destroy(); resolve(true); });
      line.on('error', reject);
    });
  }
}
