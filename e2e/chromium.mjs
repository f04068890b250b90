// Chromium for the tests: pages that keep what went wrong in them.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { base } from './demo.mjs';

const screenshots = fileURLToPath(new URL('../.out/screenshots/', import.meta.url));

export function launch() {
  return chromium.launch({
    executablePath: process.env.FINCH_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'],
  });
}

// Person is somebody at a device: a browser profile of their own with one page.
export class Person {
  #problems = [];

  static async open(browser, path = '/', options = {}) {
    const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 900 }, ...options });
    return Person.#at(context, path);
  }

  static async #at(context, path) {
    const person = new Person();
    person.context = context;
    person.page = await context.newPage();
    person.page.on('console', (message) => {
      if (message.type() === 'error') person.#problems.push(`console: ${message.text()}`);
    });
    person.page.on('pageerror', (error) => person.#problems.push(`uncaught: ${error.message}`));
    person.page.on('requestfailed', (request) => person.#problems.push(`failed: ${request.url()}`));
    await person.page.goto(new URL(path, base).href);
    return person;
  }

  // beside opens another tab of the same browser.
  beside(path) {
    return Person.#at(this.context, path);
  }

  byTest(id) {
    return this.page.getByTestId(id);
  }

  // connected waits until the page's socket is open and knows its id.
  async connected() {
    await this.page.locator('[data-testid=state][data-state=open]').waitFor();
    await this.page.waitForFunction(() => /\w{4,}/.test(document.querySelector('[data-testid=client-id]').textContent));
    return this;
  }

  // sees waits for a text inside the element of a test id.
  async sees(id, text) {
    await this.byTest(id).getByText(text).first().waitFor();
  }

  async screenshot(name) {
    mkdirSync(screenshots, { recursive: true });
    await this.page.evaluate(() => scrollTo(0, 0)); // or a bar that sticks to the top is drawn in the middle
    await this.page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true });
  }

  // closeTab closes the page, and leaves the browser's other tabs open.
  async closeTab() {
    const problems = [...this.#problems];
    await this.page.close();
    assert.deepEqual(problems, [], 'the page had problems');
  }

  // leave closes the browser; a problem that the page had on the way is a failure,
  // but those that a test bears.
  async leave(bears = () => false) {
    const problems = this.#problems.filter((problem) => !bears(problem)); // what closing breaks off is none
    await this.context.close();
    assert.deepEqual(problems, [], 'the page had problems');
  }
}
