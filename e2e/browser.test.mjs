// What a person does with the demo's page, in Chromium.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, Person } from './chromium.mjs';
import { base, until, wsBase } from './demo.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const open = async (path, options) => (await Person.open(browser, path, options)).connected();

// count is a number of the page as plain digits, in whichever language it shows.
const count = async (person, id) => Number(await person.byTest(id).getAttribute('data-number'));

const countIs = (person, id, want, within) => until(`${id} is ${want}`, async () => (await count(person, id)) === want, within);

async function join(person, name, room) {
  await person.byTest('chat-name').fill(name);
  await person.byTest('chat-room').fill(room);
  await person.byTest('chat-join').click();
  await person.sees('chat-members', name);
}

async function say(person, text) {
  await person.byTest('chat-input').fill(text);
  await person.byTest('chat-send').click();
}

const texts = (person) => person.page.locator('[data-testid=chat-log] .line-text').allTextContents();

test('the snippet of the guide, pasted into the browser, gets its echo', async () => {
  const person = await open('/');
  const answer = await person.page.evaluate((url) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onmessage = (event) => {
      console.log('دریافت شد:', event.data);
      if (!event.data.startsWith('{')) resolve(event.data);
    };
    socket.onopen = () => socket.send('سلام سرور!');
    socket.onerror = () => reject(new Error('the socket failed'));
  }), `${wsBase}/ws`);
  assert.equal(answer, 'اکو: سلام سرور!');
  await person.leave();
});

test('both echoes of the page answer in Persian', async () => {
  const person = await open('/');
  for (const [input, send, log] of [['echo-input', 'echo-send', 'echo-log'], ['rawecho-input', 'rawecho-send', 'rawecho-log']]) {
    await person.byTest(input).fill('سلام دنیا، خوبی؟');
    await person.byTest(send).click();
    await person.sees(log, 'اکو: سلام دنیا، خوبی؟');
  }
  await person.leave();
});

test('two tabs chat, and another room hears nothing', async () => {
  const [ann, bob, eve] = await Promise.all([open('/'), open('/'), open('/')]);
  await join(ann, 'Ann', 'garden');
  await join(bob, 'باران', 'garden');
  await join(eve, 'Eve', 'cellar');
  await ann.sees('chat-members', 'باران');
  await bob.sees('chat-members', 'Ann');

  await say(ann, 'hello from Ann');
  await bob.sees('chat-log', 'hello from Ann');
  await say(bob, 'سلام آن!');
  await ann.sees('chat-log', 'سلام آن!');
  await say(eve, 'is anybody here?');
  await eve.sees('chat-log', 'is anybody here?');

  // Eve's line came back to her after the others', so what she should not hear would be here by now.
  assert.equal(await eve.byTest('chat-log').getByText('hello from Ann').count(), 0);
  assert.equal(await ann.byTest('chat-log').getByText('is anybody here?').count(), 0);

  await bob.leave();
  await until('Bob is gone from the list', async () => (await ann.byTest('chat-members').getByText('باران').count()) === 0);
  await ann.leave();
  await eve.leave();
});

test('what was said is there after a reload, and older lines when asked for', async () => {
  const ann = await open('/');
  await join(ann, 'Ann', 'archive');
  for (let i = 1; i <= 60; i++) await say(ann, `line no. ${i}.`);
  await ann.sees('chat-log', 'line no. 60.');
  await until('nothing is on its way', async () => (await ann.page.locator('.line.pending').count()) === 0);

  await ann.page.reload();
  await ann.connected();
  await join(ann, 'Ann', 'archive');
  await ann.sees('chat-log', 'line no. 60.');
  assert.deepEqual(await texts(ann), Array.from({ length: 50 }, (_, i) => `line no. ${i + 11}.`));
  await ann.byTest('chat-older').click();
  await ann.sees('chat-log', 'line no. 1.');
  assert.deepEqual(await texts(ann), Array.from({ length: 60 }, (_, i) => `line no. ${i + 1}.`));
  assert.ok(await ann.byTest('chat-older').isHidden(), 'there is nothing older');
  await ann.leave();
});

test('an own line is shown at once, and takes its place when it comes back', async () => {
  const ann = await Person.open(browser, 'about:blank');
  const held = [];
  let holding = false;
  await ann.page.routeWebSocket('**/ws', (page) => {
    const server = page.connectToServer();
    page.onMessage((text) => {
      if (holding && String(text).includes('finch.publish')) held.push(() => server.send(text));
      else server.send(text);
    });
  });
  await ann.page.goto(base);
  await ann.connected();
  const bob = await open('/');
  await join(ann, 'Ann', 'desk');
  await join(bob, 'Bob', 'desk');

  holding = true;
  await say(ann, 'on its way');
  await ann.page.locator('.line.pending').getByText('on its way').waitFor();
  await say(bob, 'before it');
  await ann.sees('chat-log', 'before it');
  assert.deepEqual(await texts(ann), ['before it', 'on its way']);
  assert.equal(await bob.byTest('chat-log').getByText('on its way').count(), 0);

  holding = false;
  for (const send of held) send();
  await bob.sees('chat-log', 'on its way');
  await until('it came back', async () => (await ann.page.locator('.line.pending').count()) === 0);
  assert.deepEqual(await texts(ann), ['before it', 'on its way']);
  assert.ok((await ann.page.locator('.line.mine').count()) === 1);
  await bob.leave();
  await ann.leave();
});

test('a line that did not get through is tried again, and said once', async () => {
  const ann = await Person.open(browser, 'about:blank');
  let way = Promise.resolve(); // there is none until it is resolved
  await ann.page.routeWebSocket('**/ws', async (page) => {
    await way;
    page.connectToServer();
  });
  await ann.page.goto(base);
  await ann.connected();
  await join(ann, 'Ann', 'attic');
  let clear;
  way = new Promise((resolve) => { clear = resolve; }); // the page would be back before we have pressed a button
  await ann.byTest('console-input').fill('{"path":"close"}');
  await ann.byTest('chat-input').fill('said in the dark');
  await ann.byTest('console-send').click();
  await ann.page.locator('[data-testid=state]:not([data-state=open])').waitFor();
  await ann.byTest('chat-send').click();
  const retry = ann.page.locator('.line.failed').getByRole('button');
  await retry.waitFor();
  clear();
  await ann.connected();
  await retry.click();
  await until('it came back', async () => (await ann.page.locator('.line.mine:not(.failed):not(.pending)').count()) === 1);
  assert.deepEqual(await texts(ann), ['said in the dark']);
  await ann.leave();
});

test('a user with two tabs is present once, with two devices', async () => {
  const phone = await open('/?user=mina');
  const laptop = await open('/?user=mina');
  const other = await open('/');
  await join(phone, 'Mina', 'porch');
  await join(laptop, 'Mina', 'porch');
  await join(other, 'Omid', 'porch');
  const devices = (person) => person.page.locator('[data-testid=chat-members] li').evaluateAll((all) => all.map((li) => [li.querySelector('bdi').textContent, li.dataset.devices]));
  for (const person of [phone, laptop, other]) {
    await until('both are listed', async () => (await devices(person)).length === 2);
    assert.deepEqual((await devices(person)).sort(), [['Mina', '2'], ['Omid', '1']]);
  }
  await laptop.leave();
  await until('one device is left', async () => (await devices(other)).some(([name, n]) => name === 'Mina' && n === '1'));
  await phone.leave();
  await until('Mina is gone', async () => (await devices(other)).length === 1);
  await other.leave();
});

test('a network that was cut loses nothing and doubles nothing', async () => {
  const person = await open('/');
  await person.byTest('cut-5').scrollIntoViewIfNeeded();
  await until('the heart beats', async () => (await count(person, 'beats-received')) > 2);
  const clients = await count(person, 'clients-count');
  await person.byTest('cut-5').click();
  await person.page.locator('[data-testid=pulse-state][data-cut=true][data-state=waiting]').waitFor();
  assert.equal(await person.byTest('state').getAttribute('data-state'), 'open', 'the rest of the page lives on');
  await person.page.locator('[data-testid=recovery-outcome][data-kind=good]').getByText('resumed').waitFor({ timeout: 20000 });
  const missed = await count(person, 'beats-caught');
  assert.ok(missed >= 12, `${missed} beats were missed in five seconds`);
  const then = await count(person, 'beats-received');
  await until('it goes on', async () => (await count(person, 'beats-received')) > then + 4);
  for (const none of ['beats-lost', 'beats-doubled', 'beats-resets']) assert.equal(await count(person, none), 0, none);
  assert.equal(await count(person, 'clients-count'), clients, 'this connection is no client of the page');
  await person.leave();
});

test('a slow reader lags and is caught up; another policy closes it', async () => {
  const person = await open('/');
  const ears = await open('/');
  const step = (what, of = person) => of.page.locator(`[data-testid=slow-steps] [data-what=${what}]`).waitFor({ timeout: 20000 });
  await person.byTest('slow-start').click();
  await step('lagged');
  await step('lagged', ears);
  assert.ok(await ears.byTest('slow-start').isDisabled(), 'one at a time');
  assert.ok((await count(person, 'slow-behind')) > 50);
  assert.ok((await count(person, 'slow-fast')) > (await count(person, 'slow-got')) + 50, 'this page reads on');
  await person.byTest('slow-read').click();
  await step('caught_up');
  const over = () => person.page.locator('[data-testid=slow-outcome][data-kind=good]').waitFor({ timeout: 20000 });
  await over();
  for (const none of ['slow-lost', 'slow-doubled', 'slow-skipped']) assert.equal(await count(person, none), 0, none);

  await person.byTest('policy-close').click();
  await person.byTest('slow-start').click();
  await step('closed');
  await person.byTest('slow-read').click();
  await step('caught_up');
  await over();
  for (const none of ['slow-lost', 'slow-doubled']) assert.equal(await count(person, none), 0, none);
  await ears.leave();
  await person.leave();
});

// tabsOf opens three tabs of one browser that share a connection, which lives
// where it is said.
async function tabsOf(home) {
  const first = await open('/#tabs');
  await first.byTest(`home-${home}`).click();
  const all = [first];
  for (let i = 1; i <= 3; i++) {
    const last = all.at(-1);
    await last.page.locator(`[data-testid=tabs-state][data-state=open]`).waitFor();
    for (const tab of all) await countIs(tab, 'tabs-count', i);
    if (i < 3) all.push(await first.beside('/#tabs'));
  }
  for (const tab of all) await countIs(tab, 'tabs-sockets', 1);
  return all;
}

const homes = (all) => Promise.all(all.map((tab) => tab.byTest('tabs-home').getAttribute('data-home')));

const notes = (tab) => tab.page.locator('[data-testid=tabs-log] .note-text').allTextContents();

async function note(tab, text) {
  await tab.byTest('tabs-input').fill(text);
  await tab.byTest('tabs-send').click();
}

for (const home of ['worker', 'tab']) {
  test(`three tabs share one socket that lives in a ${home}; what one writes is there in all`, async () => {
    const all = await tabsOf(home);
    assert.deepEqual(await homes(all), home === 'worker' ? ['worker', 'worker', 'worker'] : ['here', 'elsewhere', 'elsewhere']);
    const names = await Promise.all(all.map((tab) => tab.byTest('tabs-me').textContent()));
    assert.equal(new Set(names).size, 3, `${names}`);
    await note(all[0], 'شیر بخر');
    await note(all[1], 'and bread');
    for (const tab of all) await until('both notes', async () => (await notes(tab)).sort().join() === 'and bread,شیر بخر');

    await Promise.all(all.map((tab) => tab.byTest('tabs-ask').click()));
    for (const tab of all) {
      await countIs(tab, 'tabs-answers', 50);
      assert.equal(await count(tab, 'tabs-others'), 0, 'no answer went to another tab');
      assert.equal(await count(tab, 'tabs-sockets'), 1);
    }
    await all[2].closeTab();
    for (const tab of all.slice(0, 2)) await countIs(tab, 'tabs-count', 2);

    const later = await all[0].beside('/#tabs');
    await until('it reads what was written before it came', async () => (await notes(later)).length === 2);
    await all[0].leave();
  });

  test(`the tab that opened first is closed while notes are written, the connection in a ${home}: they go on in order`, async () => {
    const [first, writer, reader] = await tabsOf(home);
    await note(writer, 'one');
    for (const tab of [first, writer, reader]) await until('it is there', async () => (await notes(tab)).length === 1);
    await writer.byTest('tabs-many').click();
    await until('some are written', async () => (await count(reader, 'tabs-received')) > 4);
    await first.closeTab();
    await note(writer, 'two');
    await note(writer, 'three');
    for (const tab of [writer, reader]) {
      await countIs(tab, 'tabs-received', 23, 20000);
      assert.deepEqual(await notes(tab), ['one', 'two', 'three']);
      for (const none of ['tabs-lost', 'tabs-doubled']) assert.equal(await count(tab, none), 0, none);
      await countIs(tab, 'tabs-count', 2);
      await countIs(tab, 'tabs-sockets', 1);
    }
    if (home === 'tab') {
      assert.deepEqual((await homes([writer, reader])).sort(), ['elsewhere', 'here']);
      const heir = (await homes([writer]))[0] === 'here' ? writer : reader;
      await heir.page.locator('[data-testid=tabs-outcome][data-kind=good]').waitFor();
    }
    await writer.leave();
  });
}

test('a notification reaches both devices of one user and nobody else', async () => {
  const phone = await open('/?user=sara');
  const laptop = await open('/?user=sara');
  const reza = await open('/?user=reza');
  const shop = await open('/');
  await phone.sees('user-badge', 'sara');

  await shop.byTest('notify-text').fill('your parcel is here');
  await shop.byTest('notify-user-id').fill('sara');
  await shop.byTest('notify-user').click();
  for (const device of [phone, laptop]) await device.sees('notify-list', 'your parcel is here');

  // What one socket sends to everyone afterwards arrives afterwards: a proof without waiting.
  await shop.byTest('notify-text').fill('closing at six');
  await shop.byTest('notify-all').click();
  for (const person of [phone, laptop, reza, shop]) await person.sees('notify-list', 'closing at six');
  for (const person of [reza, shop]) {
    assert.equal(await person.byTest('notify-list').getByText('your parcel is here').count(), 0);
  }
  for (const person of [phone, laptop, reza, shop]) await person.leave();
});

test('the counts of clients and users go up and down', async () => {
  const watcher = await open('/');
  const clients = await count(watcher, 'clients-count');
  const users = await count(watcher, 'users-count');

  const phone = await open('/?user=leila');
  await countIs(watcher, 'clients-count', clients + 1);
  await countIs(watcher, 'users-count', users + 1);
  const laptop = await open('/?user=leila');
  await countIs(watcher, 'clients-count', clients + 2);
  assert.equal(await count(watcher, 'users-count'), users + 1, 'a second device is not a second user');

  await phone.leave();
  await countIs(watcher, 'clients-count', clients + 1);
  await laptop.leave();
  await countIs(watcher, 'clients-count', clients);
  await countIs(watcher, 'users-count', users);
  await watcher.leave();
});

test('the language switches to Persian, from right to left, and back', async () => {
  const person = await open('/');
  const root = () => person.page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]);
  assert.deepEqual(await root(), ['en', 'ltr']);

  await person.byTest('lang-switch').click();
  assert.deepEqual(await root(), ['fa', 'rtl']);
  assert.match(await person.byTest('clients-count').textContent(), /^[۰-۹٬]+$/, 'Persian digits');
  const shown = await person.page.locator('body').innerText();
  assert.ok(!/[يك]/.test(shown), 'an Arabic letter in the Persian page');
  assert.equal(await person.byTest('console-log').evaluate((log) => getComputedStyle(log).direction), 'ltr', 'frames read from left to right');

  await person.page.reload();
  await person.connected();
  assert.deepEqual(await root(), ['fa', 'rtl'], 'the choice is kept');

  await person.byTest('lang-switch').click();
  assert.deepEqual(await root(), ['en', 'ltr']);
  await person.leave();

  const asked = await open('/?lang=fa');
  assert.equal(await asked.page.evaluate(() => document.documentElement.dir), 'rtl');
  await asked.leave();
});

test('the console shows the frames and sends what is typed', async () => {
  const person = await open('/');
  await person.byTest('console-input').fill('{"path":"nowhere","id":"q1"}');
  await person.byTest('console-send').click();
  await person.sees('console-log', '404');
  await person.byTest('console-input').fill('no envelope');
  await person.byTest('console-send').click();
  await person.sees('console-log', 'اکو: no envelope');
  await person.leave();
});

test('a page that was closed by the server comes back by itself', async () => {
  const person = await open('/');
  const first = await person.byTest('client-id').textContent();
  await person.byTest('console-input').fill('{"path":"close"}');
  await person.byTest('console-send').click();
  await until('another socket', async () => {
    const now = await person.byTest('client-id').textContent();
    return /\w{4,}/.test(now) && now !== first;
  });
  await person.connected();
  await person.leave();
});

test('idle sockets are held, weighed and let go', async () => {
  const person = await open('/');
  const ears = await open('/');
  await person.byTest('idle-hold').click();
  await countIs(person, 'idle-count', 5000, 60000);
  const bytes = await until('bytes per socket', () => count(person, 'idle-bytes'));
  assert.ok(bytes > 200 && bytes < 60000, `${bytes} bytes a socket`); // the server is built with the race detector
  await countIs(ears, 'idle-count', 5000);
  assert.ok(await ears.byTest('idle-hold').isDisabled());
  assert.ok((await count(ears, 'clients-count')) < 10, 'idle sockets are no clients');
  await ears.byTest('idle-release').click();
  await countIs(person, 'idle-count', 0, 30000);
  await person.byTest('idle-hold').and(person.page.locator(':enabled')).waitFor();
  await ears.leave();
  await person.leave();
});

test('each panel shows the Go source that runs it', async () => {
  const person = await open('/');
  for (const panel of ['echo', 'chat', 'recovery', 'slow', 'notify', 'counts', 'tabs', 'idle']) {
    await person.byTest(`source-${panel}`).click();
    await person.byTest('source-view').getByText('package demo').waitFor();
    await person.page.keyboard.press('Escape');
    await person.byTest('source-view').waitFor({ state: 'hidden' });
  }
  await person.leave();
});

test('the page is whole on a desk and on a phone, light and dark, in both languages', async () => {
  const desk = { width: 1280, height: 900 };
  const phone = { width: 360, height: 740 };
  const looks = [
    ['desk-en-light', desk, 'en', 'light'], ['desk-fa-dark', desk, 'fa', 'dark'],
    ['phone-en-dark', phone, 'en', 'dark'], ['phone-fa-light', phone, 'fa', 'light'],
  ];
  for (const [name, viewport, lang, colorScheme] of looks) {
    const person = await open(`/?lang=${lang}&user=sara`, { viewport, colorScheme });
    await join(person, 'سارا', 'lobby');
    await say(person, 'سلام! This is a line long enough to wrap on a phone, with https://example.com/a/rather/long/address/that-does-not-break in it.');
    await person.sees('chat-log', 'long enough');
    await person.byTest('notify-all').click();
    await person.page.locator('[data-testid=notify-list] > *').first().waitFor();
    const wide = await person.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await person.screenshot(name);
    assert.equal(wide, 0, `${name}: the page scrolls sideways by ${wide} pixels`);
    await person.leave();
  }
});

test('the page needs nothing from elsewhere', async () => {
  const asked = [];
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on('request', (request) => asked.push(request.url()));
  const answer = await page.goto(base);
  await page.locator('[data-testid=state][data-state=open]').waitFor();
  assert.deepEqual(asked.filter((url) => !url.startsWith(base) && !url.startsWith('data:')), []);
  const policy = answer.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src|script-src/);
  assert.ok(!policy.includes('unsafe-inline'), policy);
  await context.close();
});
