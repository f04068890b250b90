// Chromium for the tests, with an empty profile: pages that keep what went wrong.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const executablePath = process.env.FINCH_CHROMIUM || '/usr/bin/chromium';

// Why the tests in a browser cannot run, if so. In CI that is a failure, not a reason.
export const skip = existsSync(executablePath) ? false : `there is no ${executablePath}: install Chromium, or set FINCH_CHROMIUM`;
if (skip && (process.env.FINCH_CI || process.env.CI)) throw new Error(skip);

const WITHIN = 30_000; // ms; the machine may be busy

export function launch() {
  return chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
}

// open makes a page of a context at the server. What it throws stops the test.
export async function open(context, server, path = '/') {
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(error.message));
  page.setDefaultTimeout(WITHIN);
  await page.goto(server.url + path);
  return page;
}

// until asks again and again, and gives back the first answer that is truthy.
export async function until(what, ask) {
  const end = Date.now() + WITHIN;
  for (let last; ;) {
    try {
      const answer = await ask();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// kill ends the process of a page, as a crash does: it says goodbye to nobody.
export async function kill(page) {
  const session = await page.context().newCDPSession(page);
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  session.send('Page.crash').catch(() => {});
  await crashed;
}
