// Live notifications: to everyone, or to one user on all their devices.

import { $, byTest, el, short } from './dom.js';
import { onLanguage, say, when } from './i18n.js';
import { tell } from './problem.js';

const KEEP = 50;
const TOASTS = 3;
const TOAST_FOR = 5000; // ms

export function startNotify(connection, user) {
  const text = byTest('notify-text');
  const to = byTest('notify-user-id');
  const outcome = $('#notify-outcome');
  const list = byTest('notify-list');

  const report = (kind, key, values) => {
    outcome.dataset.kind = kind;
    say(outcome, key, values);
  };
  const fail = (error, values) => {
    outcome.dataset.kind = 'bad';
    tell(outcome, error, values);
  };

  $('#notify-form').addEventListener('submit', async (e) => {
    e.preventDefault();
    const words = text.value.trim() || text.placeholder;
    try {
      await connection.request('notify.all', { text: words });
      report('good', 'notify.sentAll');
    } catch (error) {
      fail(error, { max: 500 });
    }
  });

  byTest('notify-user').addEventListener('click', async () => {
    const words = text.value.trim() || text.placeholder;
    const whom = to.value.trim();
    if (!whom) {
      report('bad', 'notify.needUser');
      to.focus();
      return;
    }
    try {
      const { devices } = await connection.request('notify.user', { user: whom, text: words });
      report('good', devices === 1 ? 'notify.sentOne' : 'notify.sentMany', { user: whom, devices });
    } catch (error) {
      fail(error, { user: whom, max: 500 });
    }
  });
  to.addEventListener('keydown', (e) => {
    if (e.key !== 'Enter') return;
    e.preventDefault(); // Enter in this box means this user, not everyone
    byTest('notify-user').click();
  });

  if (user) to.value = user;
  const link = $('#open-user');
  const offer = () => {
    const whom = to.value.trim();
    link.hidden = !whom;
    link.href = `/?user=${encodeURIComponent(whom)}`;
    say($('#open-user-text'), whom === user ? 'notify.openAnother' : 'notify.open', { user: whom });
  };
  to.addEventListener('input', offer);
  onLanguage(offer);

  connection.on('notice', (notice) => {
    $('#notify-empty').hidden = true;
    list.prepend(card('li', notice));
    while (list.childElementCount > KEEP) list.lastElementChild.remove();
    toast(notice);
  });
}

function card(tag, { text, from, to, user }) {
  const everyone = to === 'everyone';
  const whom = say(el('span', { class: 'tag' }), everyone ? 'notify.toEveryone' : 'notify.toYou', { user: user ?? '' });
  return el(tag, { class: everyone ? 'notice' : 'notice personal' },
    el('p', { class: 'notice-text', dir: 'auto' }, text),
    el('p', { class: 'notice-foot' }, whom, say(el('span'), 'notify.from', { from: short(from) }), when(Date.now())));
}

function toast(notice) {
  const box = $('#toasts');
  const node = card('div', notice);
  node.classList.add('toast');
  box.append(node);
  while (box.childElementCount > TOASTS) box.firstElementChild.remove();
  let timer = 0;
  const arm = () => { timer = setTimeout(() => node.remove(), TOAST_FOR); };
  node.addEventListener('pointerenter', () => clearTimeout(timer));
  node.addEventListener('pointerleave', arm);
  arm();
}
