// The pictures of the README: the demo's page while people use it. Run with
// go run ./e2e pictures; they go to docs/images.

import { fileURLToPath } from 'node:url';
import { launch, Person } from './chromium.mjs';
import { until } from './demo.mjs';

const images = fileURLToPath(new URL('../docs/images/', import.meta.url));

const pictures = [
  {
    file: 'demo.png', lang: 'en', colorScheme: 'light', room: 'gophers',
    me: 'ada', others: ['grace', 'linus'],
    talk: [['grace', 'Is anybody else on a train right now?'], ['linus', 'Yes. The tunnel ate my Wi-Fi, the page came back by itself.'], ['ada', 'Same here, a second later. Tea?']],
    notice: 'Your order is on its way', echo: 'Hello server!',
  },
  {
    file: 'demo-fa.png', lang: 'fa', colorScheme: 'dark', room: 'چای‌خانه',
    me: 'سارا', others: ['رضا', 'لیلا'],
    talk: [['رضا', 'کسی الان توی قطار است؟'], ['لیلا', 'من! توی تونل قطع شد و صفحه خودش برگشت.'], ['سارا', 'من هم همین‌طور؛ یک ثانیه بعد وصل بودم. چای؟']],
    notice: 'سفارش شما در راه است', echo: 'سلام سرور!',
  },
];

async function join(person, name, room) {
  await person.byTest('chat-name').fill(name);
  await person.byTest('chat-room').fill(room);
  await person.byTest('chat-join').click();
  await person.sees('chat-members', name);
}

async function draw(browser, { file, lang, colorScheme, room, me, others, talk, notice, echo }) {
  const people = {};
  for (const name of [me, ...others]) {
    people[name] = await Person.open(browser, `/?lang=${lang}&user=${encodeURIComponent(name)}`, { viewport: { width: 1280, height: 1060 }, colorScheme });
    await people[name].connected();
    await join(people[name], name, room);
  }
  const mine = people[me];
  await mine.byTest('echo-input').fill(echo);
  await mine.byTest('echo-send').click();
  await mine.byTest('rawecho-input').fill(echo);
  await mine.byTest('rawecho-send').click();
  await mine.sees('rawecho-log', `اکو: ${echo}`);
  for (const [name, line] of talk) {
    await people[name].byTest('chat-input').fill(line);
    await people[name].byTest('chat-send').click();
    await mine.sees('chat-log', line);
  }
  const other = people[others[0]];
  await other.byTest('notify-text').fill(notice);
  await other.byTest('notify-user-id').fill(me);
  await other.byTest('notify-user').click();
  await mine.sees('notify-list', notice);
  await mine.page.evaluate(() => {
    document.activeElement?.blur();
    scrollTo({ top: document.querySelector('#chat').getBoundingClientRect().top + scrollY - 122, behavior: 'instant' });
  });
  await until('the page stands still', () => mine.page.evaluate(() => document.getAnimations().every((a) => a.playState !== 'running' || a.effect.target.closest('#recovery, #tabs'))));
  await mine.page.screenshot({ path: images + file });
  for (const person of Object.values(people)) await person.leave();
}

const browser = await launch();
try {
  for (const picture of pictures) await draw(browser, picture);
} finally {
  await browser.close();
}
